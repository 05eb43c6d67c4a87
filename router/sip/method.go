package sip

// Method is a request method. The values are single bits, those that the elders
// use for sets of methods (tm.blst_methods, the allow_events masks and such).
type Method uint16

// The methods with a value of their own. Every other one is Other.
const (
	INVITE    Method = 1 << iota
	CANCEL           // 2
	ACK              // 4
	BYE              // 8
	INFO             // 16
	OPTIONS          // 32
	UPDATE           // 64
	REGISTER         // 128
	MESSAGE          // 256
	SUBSCRIBE        // 512
	NOTIFY           // 1024
	PRACK            // 2048
	REFER            // 4096
	PUBLISH          // 8192
	_                //
	Other            // 32768

	// NoMethod is that of a message whose method cannot be told.
	NoMethod Method = 0
)

// ParseMethod recognises a method's name. Methods are case-sensitive (RFC 3261
// §7.1); unknown ones are Other.
func ParseMethod(name string) Method {
	switch name {
	case "INVITE":
		return INVITE
	case "ACK":
		return ACK
	case "BYE":
		return BYE
	case "CANCEL":
		return CANCEL
	case "REGISTER":
		return REGISTER
	case "OPTIONS":
		return OPTIONS
	case "INFO":
		return INFO
	case "UPDATE":
		return UPDATE
	case "MESSAGE":
		return MESSAGE
	case "SUBSCRIBE":
		return SUBSCRIBE
	case "NOTIFY":
		return NOTIFY
	case "PRACK":
		return PRACK
	case "REFER":
		return REFER
	case "PUBLISH":
		return PUBLISH
	}
	return Other
}

// String is the method's name; "OTHER" for Other, "" for NoMethod.
func (m Method) String() string {
	switch m {
	case INVITE:
		return "INVITE"
	case ACK:
		return "ACK"
	case BYE:
		return "BYE"
	case CANCEL:
		return "CANCEL"
	case REGISTER:
		return "REGISTER"
	case OPTIONS:
		return "OPTIONS"
	case INFO:
		return "INFO"
	case UPDATE:
		return "UPDATE"
	case MESSAGE:
		return "MESSAGE"
	case SUBSCRIBE:
		return "SUBSCRIBE"
	case NOTIFY:
		return "NOTIFY"
	case PRACK:
		return "PRACK"
	case REFER:
		return "REFER"
	case PUBLISH:
		return "PUBLISH"
	case NoMethod:
		return ""
	}
	return "OTHER"
}
