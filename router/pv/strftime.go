package pv

import (
	"strconv"
	"time"
)

// CheckTime refuses a time format of strftime that AppendTime cannot print.
func CheckTime(layout string) error { return checkStrftime(layout) }

// AppendTime prints t as strftime of the C locale does.
func AppendTime(b []byte, layout string, t time.Time) []byte { return appendStrftime(b, layout, t) }

const strftimeVerbs = "aAbBcCdDeFgGhHIjklmMnpPrRsStTuUVwWxXyYzZ%"

// checkStrftime refuses what appendStrftime cannot print.
func checkStrftime(layout string) error {
	for i := 0; i < len(layout); i++ {
		if layout[i] != '%' {
			continue
		}
		i++
		if i == len(layout) {
			return errf(i-1, "a letter is missing behind %% in a time format")
		}
		if !containsByte(strftimeVerbs, layout[i]) {
			return errf(i-1, "unknown %%%c in a time format", layout[i])
		}
	}
	return nil
}

func containsByte(s string, c byte) bool {
	for i := range len(s) {
		if s[i] == c {
			return true
		}
	}
	return false
}

func appendInt(b []byte, n int) []byte { return strconv.AppendInt(b, int64(n), 10) }

// appendStrftime prints t as strftime of the C locale does.
func appendStrftime(b []byte, layout string, t time.Time) []byte {
	for i := 0; i < len(layout); i++ {
		if layout[i] != '%' || i+1 == len(layout) {
			b = append(b, layout[i])
			continue
		}
		i++
		b = appendTimeVerb(b, layout[i], t)
	}
	return b
}

// appendTimeVerb is a table in the form of a switch, hence its length.
func appendTimeVerb(b []byte, verb byte, t time.Time) []byte {
	layouts := map[byte]string{
		'a': "Mon", 'A': "Monday", 'b': "Jan", 'h': "Jan", 'B': "January", 'c': "Mon Jan _2 15:04:05 2006",
		'd': "02", 'D': "01/02/06", 'e': "_2", 'F': "2006-01-02", 'H': "15", 'I': "03", 'm': "01", 'M': "04",
		'p': "PM", 'P': "pm", 'r': "03:04:05 PM", 'R': "15:04", 'S': "05", 'T': "15:04:05", 'x': "01/02/06",
		'X': "15:04:05", 'y': "06", 'Y': "2006", 'z': "-0700", 'Z': "MST",
	}
	if l, ok := layouts[verb]; ok {
		return t.AppendFormat(b, l)
	}
	year, week := t.ISOWeek()
	switch verb {
	case 'C':
		return appendPadded(b, t.Year()/100, 2, '0')
	case 'g':
		return appendPadded(b, year%100, 2, '0')
	case 'G':
		return appendInt(b, year)
	case 'j':
		return appendPadded(b, t.YearDay(), 3, '0')
	case 'k':
		return appendPadded(b, t.Hour(), 2, ' ')
	case 'l':
		return appendPadded(b, (t.Hour()+11)%12+1, 2, ' ')
	case 'n':
		return append(b, '\n')
	case 't':
		return append(b, '\t')
	case 's':
		return strconv.AppendInt(b, t.Unix(), 10)
	case 'u':
		return appendInt(b, (int(t.Weekday())+6)%7+1)
	case 'U':
		return appendPadded(b, (t.YearDay()+6-int(t.Weekday()))/7, 2, '0')
	case 'V':
		return appendPadded(b, week, 2, '0')
	case 'w':
		return appendInt(b, int(t.Weekday()))
	case 'W':
		return appendPadded(b, (t.YearDay()+6-(int(t.Weekday())+6)%7)/7, 2, '0')
	}
	return append(b, verb) // %%
}

func appendPadded(b []byte, n, width int, pad byte) []byte {
	for limit := 10; width > 1; width-- {
		if n < limit {
			for range width - 1 {
				b = append(b, pad)
			}
			break
		}
		limit *= 10
	}
	return appendInt(b, n)
}
