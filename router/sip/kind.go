package sip

// HeaderKind is a header field by meaning: compact and full name are one kind.
type HeaderKind uint8

// The header fields with a kind of their own. HdrOther is every other one.
const (
	HdrOther HeaderKind = iota
	HdrVia
	HdrFrom
	HdrTo
	HdrCallID
	HdrCSeq
	HdrContact
	HdrMaxForwards
	HdrRoute
	HdrRecordRoute
	HdrContentType
	HdrContentLength
	HdrContentEncoding
	HdrContentDisposition
	HdrAuthorization
	HdrProxyAuthorization
	HdrWWWAuthenticate
	HdrProxyAuthenticate
	HdrAuthenticationInfo
	HdrExpires
	HdrMinExpires
	HdrPath
	HdrServiceRoute
	HdrSupported
	HdrRequire
	HdrProxyRequire
	HdrUnsupported
	HdrAllow
	HdrAllowEvents
	HdrEvent
	HdrSubscriptionState
	HdrUserAgent
	HdrServer
	HdrAccept
	HdrAcceptEncoding
	HdrAcceptLanguage
	HdrAcceptDisposition
	HdrAcceptContact
	HdrRejectContact
	HdrRequestDisposition
	HdrDiversion
	HdrRPID
	HdrPAI
	HdrPPI
	HdrPChargingVector
	HdrPCalledPartyID
	HdrPrivacy
	HdrReferTo
	HdrReferredBy
	HdrReplaces
	HdrSubject
	HdrOrganization
	HdrPriority
	HdrDate
	HdrTimestamp
	HdrSessionExpires
	HdrMinSE
	HdrSIPETag
	HdrSIPIfMatch
	HdrRetryAfter
	HdrReason
	HdrRAck
	HdrRSeq
	HdrIdentity
	HdrIdentityInfo
	HdrWarning
	HdrAlertInfo
	HdrCallInfo
	HdrErrorInfo
	HdrInReplyTo
	HdrMIMEVersion
	HdrReplyTo

	headerKinds
)

// kindNames are the full names; compactOf the one-letter forms (IANA registry
// of SIP header fields).
var kindNames = [headerKinds]string{
	HdrVia: "Via", HdrFrom: "From", HdrTo: "To", HdrCallID: "Call-ID", HdrCSeq: "CSeq", HdrContact: "Contact",
	HdrMaxForwards: "Max-Forwards", HdrRoute: "Route", HdrRecordRoute: "Record-Route",
	HdrContentType: "Content-Type", HdrContentLength: "Content-Length", HdrContentEncoding: "Content-Encoding",
	HdrContentDisposition: "Content-Disposition", HdrAuthorization: "Authorization",
	HdrProxyAuthorization: "Proxy-Authorization", HdrWWWAuthenticate: "WWW-Authenticate",
	HdrProxyAuthenticate: "Proxy-Authenticate", HdrAuthenticationInfo: "Authentication-Info",
	HdrExpires: "Expires", HdrMinExpires: "Min-Expires", HdrPath: "Path", HdrServiceRoute: "Service-Route",
	HdrSupported: "Supported", HdrRequire: "Require", HdrProxyRequire: "Proxy-Require",
	HdrUnsupported: "Unsupported", HdrAllow: "Allow", HdrAllowEvents: "Allow-Events", HdrEvent: "Event",
	HdrSubscriptionState: "Subscription-State", HdrUserAgent: "User-Agent", HdrServer: "Server",
	HdrAccept: "Accept", HdrAcceptEncoding: "Accept-Encoding", HdrAcceptLanguage: "Accept-Language",
	HdrAcceptDisposition: "Accept-Disposition", HdrAcceptContact: "Accept-Contact",
	HdrRejectContact: "Reject-Contact", HdrRequestDisposition: "Request-Disposition",
	HdrDiversion: "Diversion", HdrRPID: "Remote-Party-ID", HdrPAI: "P-Asserted-Identity",
	HdrPPI: "P-Preferred-Identity", HdrPChargingVector: "P-Charging-Vector",
	HdrPCalledPartyID: "P-Called-Party-ID", HdrPrivacy: "Privacy", HdrReferTo: "Refer-To",
	HdrReferredBy: "Referred-By", HdrReplaces: "Replaces", HdrSubject: "Subject",
	HdrOrganization: "Organization", HdrPriority: "Priority", HdrDate: "Date", HdrTimestamp: "Timestamp",
	HdrSessionExpires: "Session-Expires", HdrMinSE: "Min-SE", HdrSIPETag: "SIP-ETag",
	HdrSIPIfMatch: "SIP-If-Match", HdrRetryAfter: "Retry-After", HdrReason: "Reason", HdrRAck: "RAck",
	HdrRSeq: "RSeq", HdrIdentity: "Identity", HdrIdentityInfo: "Identity-Info", HdrWarning: "Warning",
	HdrAlertInfo: "Alert-Info", HdrCallInfo: "Call-Info", HdrErrorInfo: "Error-Info",
	HdrInReplyTo: "In-Reply-To", HdrMIMEVersion: "MIME-Version", HdrReplyTo: "Reply-To",
}

var compactOf = [26]HeaderKind{
	0: HdrAcceptContact, 'b' - 'a': HdrReferredBy, 'c' - 'a': HdrContentType, 'd' - 'a': HdrRequestDisposition,
	'e' - 'a': HdrContentEncoding, 'f' - 'a': HdrFrom, 'i' - 'a': HdrCallID, 'j' - 'a': HdrRejectContact,
	'k' - 'a': HdrSupported, 'l' - 'a': HdrContentLength, 'm' - 'a': HdrContact, 'n' - 'a': HdrIdentityInfo,
	'o' - 'a': HdrEvent, 'r' - 'a': HdrReferTo, 's' - 'a': HdrSubject, 't' - 'a': HdrTo, 'u' - 'a': HdrAllowEvents,
	'v' - 'a': HdrVia, 'x' - 'a': HdrSessionExpires, 'y' - 'a': HdrIdentity,
}

// String is the full name; "" for HdrOther.
func (k HeaderKind) String() string {
	if k < headerKinds {
		return kindNames[k]
	}
	return ""
}

// kindSlots is the size of the hash table of names: a power of two, sparse, so
// that nearly every name stands at its own place.
const kindSlots = 512

var kindTable = buildKindTable()

func buildKindTable() (t [kindSlots]HeaderKind) {
	for k := HdrOther + 1; k < headerKinds; k++ {
		h := kindHash(kindNames[k])
		for t[h] != HdrOther {
			h = (h + 1) % kindSlots
		}
		t[h] = k
	}
	return t
}

// kindHash mixes the length and three letters, without regard to case.
func kindHash(s string) uint {
	n := len(s)
	return (uint(n)*61 + uint(s[0]|0x20)*7 + uint(s[n-1]|0x20)*37 + uint(s[n/2]|0x20)*167) % kindSlots
}

// KindOf recognises a header's name in any case, full or compact.
func KindOf(name string) HeaderKind {
	switch len(name) {
	case 0:
		return HdrOther
	case 1:
		if c := name[0] | 0x20 - 'a'; c < 26 && name[0] >= 'A' {
			return compactOf[c]
		}
		return HdrOther
	}
	for h := kindHash(name); ; h = (h + 1) % kindSlots {
		k := kindTable[h]
		if k == HdrOther {
			return HdrOther
		}
		if known := kindNames[k]; name == known || equalFold(name, known) {
			return k
		}
	}
}
