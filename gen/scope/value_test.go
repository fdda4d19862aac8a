package scope_test

import (
	"context"
	"testing"

	"github.com/gptmesh/gptmesh/gen/scope"
)

type (
	valueKey struct{}
	belowKey struct{}
	noneKey  struct{}
)

// A value ends what is made of it with whatever it lies in.
func TestValued(t *testing.T) {
	type owner struct {
		scope.Valued
		name string
	}
	for name, parent := range map[string]func() (context.Context, func()){
		"scope": func() (context.Context, func()) {
			s := scope.WithCancel(context.Background())
			return s, func() { s.Cancel(nil) }
		},
		"apart": func() (context.Context, func()) {
			s := scope.Lasting(context.Background(), 1<<40)
			return s, s.Stop
		},
		"library": func() (context.Context, func()) {
			ctx, cancel := context.WithCancel(context.Background())
			return ctx, cancel
		},
		"foreign": func() (context.Context, func()) {
			ctx, cancel := context.WithCancel(context.Background())
			return struct{ context.Context }{ctx}, cancel
		},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := parent()
			o := &owner{name: "o"}
			with := o.With(scope.WithValue(ctx, belowKey{}, 1), valueKey{}, o)
			if got, _ := with.Value(valueKey{}).(*owner); got != o || with.Value(belowKey{}) != 1 || with.Value(noneKey{}) != nil {
				t.Error("values:", with.Value(valueKey{}), with.Value(belowKey{}), with.Value(noneKey{}))
			}
			library, stop := context.WithCancel(with)
			defer stop()
			inner := scope.WithCancel(with)
			defer inner.Cancel(nil)
			ran := make(chan struct{})
			context.AfterFunc(with, func() { close(ran) })
			if library.Err() != nil || inner.Err() != nil {
				t.Error("ended before:", library.Err(), inner.Err())
			}
			cancel()
			<-library.Done()
			<-inner.Done()
			<-ran
		})
	}
}
