// Package outbox lets a call of a store carry what is to be told of it: the
// record goes into the table outbox in the transaction of the change, and
// nowhere where nothing is changed. A store knows nothing of it; its database
// does (pkg/sqlite, pkg/postgres).
package outbox

import "context"

type key struct{}

// With returns ctx for one call of a store that makes one change, with the
// record of what it does. Empty returns ctx itself.
func With(ctx context.Context, record []byte) context.Context {
	if len(record) == 0 {
		return ctx
	}
	return context.WithValue(ctx, key{}, record)
}

// From returns the record that ctx carries, nil where there is none.
func From(ctx context.Context) []byte {
	record, _ := ctx.Value(key{}).([]byte)
	return record
}
