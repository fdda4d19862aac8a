package scope

import "context"

// WithValue is context.WithValue; what lies between a Scope and what is made of
// it should be made by it.
func WithValue(parent context.Context, key, value any) context.Context {
	if _, ok := parent.(scoped); !ok {
		return context.WithValue(parent, key, value)
	}
	return &valued{Context: parent, key: key, value: value}
}

// valued is made of a scoped context only.
type valued struct {
	context.Context
	key, value any
}

func (v *valued) nearest() *Scope { return v.Context.(scoped).nearest() }

func (v *valued) Value(key any) any {
	if key == v.key {
		return v.value
	}
	return v.Context.Value(key)
}

// AfterFunc is Scope.AfterFunc.
func (v *valued) AfterFunc(f func()) func() bool { return v.nearest().AfterFunc(f) }
