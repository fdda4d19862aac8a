package scope

import "context"

// WithValue is context.WithValue; what lies between a Scope and what is made of
// it should be made by it.
func WithValue(parent context.Context, key, value any) context.Context {
	if _, ok := parent.(scoped); !ok {
		return context.WithValue(parent, key, value)
	}
	return new(Valued).With(parent, key, value)
}

// Valued is a context with one value. Within the struct that it belongs to, which
// may be the value itself, it costs nothing.
type Valued struct {
	context.Context
	key, value any
}

// With makes v the context parent with a value. It is called once.
func (v *Valued) With(parent context.Context, key, value any) context.Context {
	v.Context, v.key, v.value = parent, key, value
	return v
}

func (v *Valued) nearest() *Scope { return nearest(v.Context) }

// Value implements context.Context.
func (v *Valued) Value(key any) any {
	if key == v.key {
		return v.value
	}
	return v.Context.Value(key)
}

// AfterFunc is Scope.AfterFunc.
func (v *Valued) AfterFunc(f func()) func() bool {
	if s := v.nearest(); s != nil {
		return s.AfterFunc(f)
	}
	return context.AfterFunc(v.Context, f)
}
