package db

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
)

// AttrType is the type of an attribute's value.
type AttrType uint8

// Attribute types. AttrAuto lets the directory decide: the SER flavour looks
// into attr_types (an unknown name is ErrNoAttr), the Kamailio flavour takes a string.
const (
	AttrAuto AttrType = iota
	AttrString
	AttrInt
)

// Attr is one value of an attribute.
type Attr struct {
	Name  string   `json:"name"`
	Type  AttrType `json:"type"`
	Value string   `json:"value"`
}

// Compare orders by name, then value.
func (a Attr) Compare(b Attr) int {
	return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.Value, b.Value))
}

var attrTypeNames = [...]string{AttrAuto: "auto", AttrString: "string", AttrInt: "int"}

// ParseAttrType reads "auto" (also ""), "string" (also "str") or "int".
func ParseAttrType(s string) (AttrType, error) {
	switch s {
	case "", "auto":
		return AttrAuto, nil
	case "string", "str":
		return AttrString, nil
	case "int", "integer":
		return AttrInt, nil
	}
	return AttrAuto, fmt.Errorf("attribute type %q: want string, int or auto", s)
}

func (t AttrType) String() string {
	if int(t) < len(attrTypeNames) {
		return attrTypeNames[t]
	}
	return "type " + strconv.Itoa(int(t))
}

// MarshalText writes the name of the type.
func (t AttrType) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText reads it.
func (t *AttrType) UnmarshalText(b []byte) (err error) {
	*t, err = ParseAttrType(string(b))
	return err
}

// Check tells whether name and value can be stored: the name is a word of
// letters, digits and "_-.", the value has at most valueSize characters and,
// for AttrInt, is a decimal number of 32 bits, signed or not.
func (a Attr) Check(nameSize, valueSize int) error {
	if a.Name == "" {
		return &FieldError{"attribute", "", "has no name"}
	}
	for i := 0; i < len(a.Name); i++ {
		if c := a.Name[i]; !isAlnum(c) && c != '_' && c != '-' && c != '.' {
			return &FieldError{"attribute", a.Name, fmt.Sprintf("has a %q in its name; letters, digits, _ - . are allowed", c)}
		}
	}
	if err := CheckLength("attribute name", a.Name, nameSize); err != nil {
		return err
	}
	field := "value of " + a.Name
	if err := CheckText(field, a.Value); err != nil {
		return err
	}
	if a.Type == AttrInt {
		if n, err := strconv.ParseInt(a.Value, 10, 64); err != nil || n < -1<<31 || n >= 1<<32 {
			return &FieldError{field, a.Value, "is not an integer of 32 bits"}
		}
	}
	return CheckLength(field, a.Value, valueSize)
}
