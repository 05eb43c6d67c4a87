package output

import "sipd/ctl/plain"

// Clean makes text from the network safe to show at a terminal, as
// [plain.Clean] does.
func Clean(s string) string { return plain.Clean(s) }

// CleanLines is Clean that leaves line ends and tabs.
func CleanLines(s string) string { return plain.CleanLines(s) }
