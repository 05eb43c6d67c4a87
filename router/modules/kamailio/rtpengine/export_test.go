package rtpengine

// Dict and its like are for tests of the outside, which build answers of relays.
type Dict = dict

// D makes a dictionary of keys and values in turn.
func D(list ...any) (d Dict) {
	for i := 0; i < len(list); i += 2 {
		d.add(list[i].(string), list[i+1])
	}
	return d
}

// Encode writes a value.
var Encode = encode

// QualityParams are the parameters for the figures of the call, or of party "_A".
func QualityParams(party string) (names []string) {
	for _, f := range figures {
		names = append(names, f.param(party))
	}
	return names
}
