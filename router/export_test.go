package router

import "context"

// Ended is ended for tests.
func Ended(ctx context.Context, err error) error { return ended(ctx, err) }
