package output

import (
	"bytes"
	"io"
	"strings"

	"github.com/olekukonko/tablewriter"
	"github.com/olekukonko/tablewriter/pkg/twwidth"
	"github.com/olekukonko/tablewriter/renderer"
	"github.com/olekukonko/tablewriter/tw"
)

// window is how many rows decide the width of the columns. Rows after them
// are printed at once, so a long list needs no more memory than this.
const window = 1000

// gap stands between two columns.
const gap = "  "

type tableForm struct {
	out     io.Writer
	columns []string
	rows    [][]string // the first window rows; nil once they are printed
	widths  []int      // of the columns, once they are printed
}

func (t *tableForm) row(cells []any) error {
	line := make([]string, len(cells))
	for i, c := range cells {
		line[i] = Clean(text(c))
	}
	if t.widths != nil {
		return t.pad(line)
	}
	t.rows = append(t.rows, line)
	if len(t.rows) == window {
		return t.render()
	}
	return nil
}

func (t *tableForm) end() error {
	if t.widths != nil {
		return nil
	}
	return t.render()
}

// render prints header and rows and fixes the widths for what follows.
func (t *tableForm) render() error {
	t.widths = make([]int, len(t.columns))
	for i, c := range t.columns {
		t.widths[i] = twwidth.Width(c)
	}
	for _, r := range t.rows {
		for i, c := range r {
			t.widths[i] = max(t.widths[i], twwidth.Width(c))
		}
	}
	rows := t.rows
	t.rows = nil
	return render(t.out, t.columns, rows)
}

// pad prints a row after the window: as tablewriter does, a cell wider than
// its column pushes the rest to the right.
func (t *tableForm) pad(line []string) error {
	var b strings.Builder
	for i, c := range line {
		b.WriteString(c)
		b.WriteString(strings.Repeat(" ", max(0, t.widths[i]-twwidth.Width(c))))
		b.WriteString(gap)
	}
	_, err := io.WriteString(t.out, strings.TrimRight(b.String(), " ")+"\n")
	return err
}

// render prints a kamctl-like table: no frame, header as written, nothing
// wrapped, no blanks at the end of a line.
func render(out io.Writer, header []string, rows [][]string) error {
	var b bytes.Buffer
	t := tablewriter.NewTable(&b,
		tablewriter.WithRenderer(renderer.NewBlueprint(tw.Rendition{
			Borders:  tw.BorderNone,
			Settings: tw.Settings{Separators: tw.SeparatorsNone, Lines: tw.LinesNone},
		})),
		tablewriter.WithHeaderAutoFormat(tw.Off),
		tablewriter.WithHeaderAlignment(tw.AlignLeft),
		tablewriter.WithRowAlignment(tw.AlignLeft),
		tablewriter.WithHeaderAutoWrap(tw.WrapNone),
		tablewriter.WithRowAutoWrap(tw.WrapNone),
		tablewriter.WithTrimSpace(tw.Off),
		tablewriter.WithPadding(tw.Padding{Right: gap, Overwrite: true}))
	if header != nil {
		t.Header(header)
	}
	for _, r := range rows {
		if err := t.Append(r); err != nil {
			return err
		}
	}
	if err := t.Render(); err != nil {
		return err
	}
	for line := range bytes.Lines(b.Bytes()) {
		if _, err := out.Write(append(bytes.TrimRight(line, " \n"), '\n')); err != nil {
			return err
		}
	}
	return nil
}

func recordTable(out io.Writer, fields []Field) error {
	var rows [][]string
	for _, f := range fields {
		list, ok := f.Value.([]string)
		if !ok {
			list = []string{text(f.Value)}
		}
		for i, v := range list {
			name := f.Name + ":"
			if i > 0 {
				name = ""
			}
			rows = append(rows, []string{name, Clean(v)})
		}
	}
	return render(out, nil, rows)
}
