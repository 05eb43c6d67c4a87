package db

import (
	"context"
	"errors"
	"iter"
)

// batchSize is how many users go into one round of checks and inserts.
const batchSize = 1000

// AddFunc adds users within a transaction: it writes those that nothing is wrong
// with, and none unless skip when one is. The first answer is what is wrong with
// each user, nil for nothing; the second is an error of the database.
type AddFunc func(ctx context.Context, users []NewUser, skip bool) ([]error, error)

// AddBatches adds users in rounds, up to the first that something is wrong with;
// it answers how many it gave to add.
func AddBatches(ctx context.Context, users iter.Seq[NewUser], add AddFunc) (n int, err error) {
	var batch []NewUser
	flush := func() error {
		errs, err := add(ctx, batch, false)
		n += len(batch)
		batch = batch[:0]
		return errors.Join(err, FirstError(errs))
	}
	for u := range users {
		if batch = append(batch, u); len(batch) == batchSize {
			if err := flush(); err != nil {
				return n, err
			}
		}
	}
	return n, flush()
}

// errUndo ends a transaction whose mistakes are told one by one.
var errUndo = errors.New("undo")

// AddOrUndo runs one round within a transaction that write makes, and undoes it
// when a user of it has something wrong and skip is not set. The answers are
// those of add.
func AddOrUndo(ctx context.Context, users []NewUser, skip bool, write func(func(AddFunc) error) error) ([]error, error) {
	var errs []error
	err := write(func(add AddFunc) (err error) {
		if errs, err = add(ctx, users, skip); err == nil && !skip && FirstError(errs) != nil {
			err = errUndo
		}
		return err
	})
	if errors.Is(err, errUndo) {
		err = nil
	}
	return errs, err
}

// FirstError is the first that is one.
func FirstError(errs []error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
