package script

// dialect names the places where configurations of the SER flavour behave
// otherwise than Kamailio 5.6 does (script.md §11). Everything else is one
// language; how $name is read is decided in package pv by the flavour of the
// line it stands in.
type dialect struct {
	// returnZeroExits: "return 0" ends the script (5.x). Without it the caller
	// goes on with code 0, which is false as a condition (2010).
	returnZeroExits bool
	// assignRawCode: "$x = call()" keeps the code that the call answered
	// (5.x). Without it $x is 1 or 0 (2010).
	assignRawCode bool
}

func dialectOf(f Flavour) dialect {
	return dialect{returnZeroExits: f != SER, assignRawCode: f != SER}
}
