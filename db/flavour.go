package db

import "fmt"

// Flavour is one of the two ways in which the elders lay out their tables.
type Flavour string

// The flavours. Auto asks the database's own tables.
const (
	Auto     Flavour = ""
	SER      Flavour = "ser"      // uid flavour: credentials, uri, user_attrs …
	Kamailio Flavour = "kamailio" // subscriber, dbaliases, usr_preferences …
)

// ParseFlavour reads "ser", "kamailio" or "auto" (also "").
func ParseFlavour(s string) (Flavour, error) {
	switch s {
	case "", "auto":
		return Auto, nil
	case "ser":
		return SER, nil
	case "kamailio":
		return Kamailio, nil
	}
	return Auto, fmt.Errorf("flavour %q: want ser, kamailio or auto", s)
}

func (f Flavour) String() string {
	if f == Auto {
		return "auto"
	}
	return string(f)
}
