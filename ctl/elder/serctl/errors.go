package serctl

import "errors"

// elderError is an error of the elder: a code, and what it is about.
type elderError struct{ code, text string }

// descriptions are the elder's, which scripts look for.
var descriptions = map[string]string{
	"EINVAL": "Invalid argument", "ENOENT": "No such file or directory", "ENOSYS": "Function not implemented",
	"EMISMATCH": "Argument mismatch", "ENOARG": "Argument required", "ENOUSER": "User does not exist", "ENODOMAIN": "Domain does not exist",
	"EIFLAG": "Invalid flag", "EDUPL": "Duplicated", "ENOCOL": "Invalid column name", "EDOMAIN": "Domain in use", "ENOREC": "No record found",
	"ENODID": "Domain identifier not exist", "EUSER": "User identifier in use", "EALL": "For operation on ALL records use force flag",
	"EICONF": "Invalid config file parameter", "EEXTRA": "Unknown extra argument(s)", "ECOLSPEC": "Invalid column specification",
	"ERPC": "RPC error", "EFFORM": "Unknown flag format", "EINT": "Must be integer",
	"EDB":     "Ambiguous identificator (Use low-level tools to solve this problem)",
	"EIDTYPE": "Unknown identifier type", "EATTR": "Unknown attribute", "EPASSWORD": "Password does not match",
	"ENODRA": "Digest realm attribute not found", "ENOVAL": "No value specified",
}

func (e *elderError) Error() string {
	if e.text == "" {
		return descriptions[e.code]
	}
	return e.text + ": " + descriptions[e.code]
}

func fail(code, text string) error { return &elderError{code, text} }

// is tells whether an error has one of the codes.
func is(err error, codes ...string) bool {
	e, ok := errors.AsType[*elderError](err)
	for _, c := range codes {
		if ok && e.code == c {
			return true
		}
	}
	return false
}
