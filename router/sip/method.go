package sip

// Method is a request method. The values are single bits, those that Kamailio
// 5.6 has for sets of methods: $rmid, the column methods of table location.
type Method uint32

// The methods with a value of their own. Every other one is Other.
const (
	INVITE    Method = 1 << iota
	CANCEL           // 2
	ACK              // 4
	BYE              // 8
	INFO             // 16
	REGISTER         // 32
	SUBSCRIBE        // 64
	NOTIFY           // 128
	MESSAGE          // 256
	OPTIONS          // 512
	PRACK            // 1024
	UPDATE           // 2048
	REFER            // 4096
	PUBLISH          // 8192
	KDMQ             // 16384, Kamailio's own between its nodes

	Other Method = 1 << 19

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
	case "KDMQ":
		return KDMQ
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
	case KDMQ:
		return "KDMQ"
	case NoMethod:
		return ""
	}
	return "OTHER"
}
