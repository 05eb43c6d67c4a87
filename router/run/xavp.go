package run

// XAVPs are extended attributes ($xavp): by name a stack of records, each a
// list of fields.
type XAVPs struct {
	records map[string][]XRecord // top of the stack last
}

// XRecord is one record: fields in order of assignment; a field name may repeat.
type XRecord []XField

// XField is a field of a record.
type XField struct {
	Name  string
	Value Value
}
