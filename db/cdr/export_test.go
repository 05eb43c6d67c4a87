package cdr

// Longest is the prefix whose price a number has.
func Longest(prefixes []string, number string) (string, bool) {
	prices := make(map[string]price)
	for i, p := range prefixes {
		prices[p] = price{rate: int64(i), unit: 1}
	}
	p, ok := priceOf([]map[string]price{prices}, number)
	if !ok {
		return "", false
	}
	return prefixes[p.rate], true
}
