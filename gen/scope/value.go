package scope

import "context"

// WithValue is context.WithValue; what lies between a Scope and what is made of
// it should be made by it.
func WithValue(parent context.Context, key, value any) context.Context {
	s := nearest(parent)
	if s == nil {
		return context.WithValue(parent, key, value)
	}
	return &valued{Context: parent, scope: s, key: key, value: value}
}

type valued struct {
	context.Context
	scope      *Scope
	key, value any
}

func (v *valued) nearest() *Scope { return v.scope }

func (v *valued) Value(key any) any {
	if key == v.key {
		return v.value
	}
	return v.Context.Value(key)
}

// AfterFunc is Scope.AfterFunc.
func (v *valued) AfterFunc(f func()) func() bool { return v.scope.AfterFunc(f) }
