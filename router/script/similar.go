package script

import "strings"

// similar is the known name nearest to a misspelt one, "" when none is near:
// at most a third of its letters away.
func similar(name string, names []string) string {
	best, dist := "", len(name)/3+1
	for _, n := range names {
		if d := distance(strings.ToLower(name), strings.ToLower(n)); d < dist {
			best, dist = n, d
		}
	}
	return best
}

// distance counts the insertions, deletions, changes, and swaps of neighbours
// that lead from a to b.
func distance(a, b string) int {
	before, row := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		next := make([]int, len(b)+1)
		next[0] = i
		for j := 1; j <= len(b); j++ {
			next[j] = row[j-1]
			if a[i-1] != b[j-1] {
				next[j]++
				if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
					next[j] = min(next[j], before[j-2]+1)
				}
			}
			next[j] = min(next[j], next[j-1]+1, row[j]+1)
		}
		before, row = row, next
	}
	return row[len(b)]
}
