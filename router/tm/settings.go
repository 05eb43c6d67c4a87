package tm

import (
	"fmt"

	"sipd/router/cfg"
)

// Settings are the runtime variables of group tm, with the elders' names,
// ranges and defaults. Times are in milliseconds.
type Settings struct {
	FrTimer, FrInvTimer, FrInvTimerNext cfg.Int
	WtTimer, DeleteTimer                cfg.Int
	RetrTimer1, RetrTimer2              cfg.Int
	MaxInvLifetime, MaxNonInvLifetime   cfg.Int
	AutoInv100                          cfg.Int
	AutoInv100Reason                    cfg.Str
	RestartFr                           cfg.Int
	AggregateChallenges                 cfg.Int
	UnmatchedCancel                     cfg.Int
	DefaultCode                         cfg.Int
	DefaultReason                       cfg.Str
	CancelBMethod                       cfg.Int
	Disable6xx                          cfg.Int
	LocalCancelReason, E2ECancelReason  cfg.Int
	RURIMatching, Via1Matching          cfg.Int
	CallidMatching                      cfg.Int
	Reply408Code                        int
	Reply408Reason                      string
	Relay100                            cfg.Int
	LocalAckMode                        cfg.Int
	Remap503                            bool
	FailureReplyMode, FakedReplyPrio    int
	ContactsAVP, ContactFlowsAVP        string
}

// NewSettings answers the defaults.
func NewSettings() *Settings {
	// Kamailio checks changes of these times, and what has a check is not read
	// over RPC.
	ms := func(def int, help string) cfg.Int {
		return cfg.Int{Default: def, Max: 1 << 30, Help: help + ", ms", Flags: cfg.Atomic | cfg.Hidden}
	}
	flag := func(def int, help string) cfg.Int {
		return cfg.Int{Default: def, Max: 1, Help: help, Flags: cfg.Atomic}
	}
	return &Settings{
		FrTimer:             ms(30000, "wait for any reply of a branch"),
		FrInvTimer:          ms(120000, "wait for the final reply to an INVITE after a provisional one"),
		FrInvTimerNext:      cfg.Int{Default: 30000, Max: 1 << 30, Help: "the same for later branches of serial forking, ms"},
		WtTimer:             ms(5000, "keep a finished transaction"),
		DeleteTimer:         ms(200, "has no meaning any more; taken for old configurations"),
		RetrTimer1:          cfg.Int{Default: 500, Min: 20, Max: 1 << 20, Help: "before the first repetition (T1), ms", Flags: cfg.Atomic | cfg.Hidden},
		RetrTimer2:          cfg.Int{Default: 4000, Min: 20, Max: 1 << 20, Help: "longest time between repetitions (T2), ms", Flags: cfg.Atomic | cfg.Hidden},
		MaxInvLifetime:      ms(180000, "longest life of an INVITE transaction"),
		MaxNonInvLifetime:   ms(32000, "longest life of another transaction"),
		AutoInv100:          flag(1, "answer an INVITE with 100 at once"),
		AutoInv100Reason:    cfg.Str{Default: "trying -- your call is important to us", Help: "reason phrase of that 100"},
		RestartFr:           flag(1, "each provisional reply starts fr_inv_timer again"),
		AggregateChallenges: flag(1, "collect the challenges of all branches in a 401 or 407"),
		UnmatchedCancel:     cfg.Int{Default: 0, Max: 2, Help: "a CANCEL without transaction: 0 relay with state, 1 forward without, 2 drop"},
		DefaultCode:         cfg.Int{Default: 500, Min: 400, Max: 699, Help: "code of t_reply() when its own is none", Flags: cfg.Atomic},
		DefaultReason:       cfg.Str{Default: "Server Internal Error", Help: "reason phrase of t_reply() when its own is none"},
		CancelBMethod:       cfg.Int{Default: 1, Max: 2, Flags: cfg.Hidden, Help: "cancelling a branch without any reply: 0 end it at once, 1 when it answers, 2 send CANCEL anyway"},
		Disable6xx:          flag(0, "treat 6xx as any other failure"),
		LocalCancelReason:   flag(1, "put a Reason into CANCELs of our own"),
		E2ECancelReason:     flag(1, "pass on the Reason of a received CANCEL"),
		RURIMatching:        flag(1, "compare the request URI when matching RFC 2543 requests"),
		Via1Matching:        flag(1, "compare the topmost Via when matching RFC 2543 requests"),
		CallidMatching:      flag(0, "compare Call-ID and CSeq besides the branch"),
		Relay100:            flag(0, "pass on 100 replies, as a stateless proxy does"),
		LocalAckMode:        cfg.Int{Max: 2, Flags: cfg.Atomic, Help: "where the ACK to a 2xx of an own INVITE goes: 0 as RFC 3261 says, 1 where the INVITE went, 2 where the reply came from"},
		Reply408Code:        408,
		Reply408Reason:      "Request Timeout",
		Remap503:            true,
		FakedReplyPrio:      2000,
		FailureReplyMode:    3, // of 5.6; it was 0 in 3.1
	}
}

// vars lists the runtime variables by name.
func (s *Settings) vars() []struct {
	name string
	v    cfg.Var
} {
	return []struct {
		name string
		v    cfg.Var
	}{
		{"fr_timer", &s.FrTimer},
		{"fr_inv_timer", &s.FrInvTimer},
		{"fr_inv_timer_next", &s.FrInvTimerNext},
		{"wt_timer", &s.WtTimer},
		{"delete_timer", &s.DeleteTimer},
		{"retr_timer1", &s.RetrTimer1},
		{"retr_timer2", &s.RetrTimer2},
		{"max_inv_lifetime", &s.MaxInvLifetime},
		{"max_noninv_lifetime", &s.MaxNonInvLifetime},
		{"auto_inv_100", &s.AutoInv100},
		{"auto_inv_100_reason", &s.AutoInv100Reason},
		{"restart_fr_on_each_reply", &s.RestartFr},
		{"aggregate_challenges", &s.AggregateChallenges},
		{"unmatched_cancel", &s.UnmatchedCancel},
		{"default_code", &s.DefaultCode},
		{"default_reason", &s.DefaultReason},
		{"cancel_b_method", &s.CancelBMethod},
		{"disable_6xx_block", &s.Disable6xx},
		{"local_cancel_reason", &s.LocalCancelReason},
		{"e2e_cancel_reason", &s.E2ECancelReason},
		{"ruri_matching", &s.RURIMatching},
		{"via1_matching", &s.Via1Matching},
		{"callid_matching", &s.CallidMatching},
		{"relay_100", &s.Relay100},
		{"local_ack_mode", &s.LocalAckMode},
	}
}

// EachVar calls f for each runtime variable by its elder name.
func (s *Settings) EachVar(f func(name string, v cfg.Var)) {
	for _, x := range s.vars() {
		f(x.name, x.v)
	}
}

// Check says what does not fit together.
func (s *Settings) Check() error {
	if s.Reply408Code < 400 || s.Reply408Code > 699 {
		return fmt.Errorf("reply_408_code is %d; it must be 400 to 699", s.Reply408Code)
	}
	return nil
}
