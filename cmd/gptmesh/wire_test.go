package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"reflect"
	"testing"

	"github.com/gptmesh/gptmesh/gateway"
	"github.com/gptmesh/gptmesh/gateway/rest"
	"github.com/gptmesh/gptmesh/services/classifier"
	"github.com/gptmesh/gptmesh/services/gpt"
	"github.com/gptmesh/gptmesh/services/request"
	"github.com/gptmesh/gptmesh/services/response"
	"github.com/gptmesh/gptmesh/services/session"
)

// unwired are what the rooms choose themselves in a process, as their zero value
// says; tests choose otherwise.
var unwired = map[string]bool{"Clock": true, "Seed": true, "BuiltIn": true, "Codec": true, "Getenv": true, "Upstream": true}

// Every room is given all that it asks for: what is left out works, and is slower
// or knows less.
func TestEveryDependencyIsWired(t *testing.T) {
	t.Parallel()
	file, err := parser.ParseFile(token.NewFileSet(), "wire.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	given := map[string]map[string]bool{}
	ast.Inspect(file, func(n ast.Node) bool {
		made, ok := n.(*ast.CompositeLit)
		if !ok {
			return true
		}
		kind, ok := made.Type.(*ast.SelectorExpr)
		if !ok || kind.Sel.Name != "Deps" {
			return true
		}
		fields := map[string]bool{}
		for _, element := range made.Elts {
			fields[element.(*ast.KeyValueExpr).Key.(*ast.Ident).Name] = true
		}
		given[kind.X.(*ast.Ident).Name] = fields
		return true
	})
	for room, deps := range map[string]any{
		"session": session.Deps{}, "gpt": gpt.Deps{}, "classifier": classifier.Deps{}, "response": response.Deps{},
		"request": request.Deps{}, "gateway": gateway.Deps{}, "rest": rest.Deps{},
	} {
		for _, field := range reflect.VisibleFields(reflect.TypeOf(deps)) {
			if !given[room][field.Name] && !unwired[field.Name] {
				t.Errorf("%s.Deps.%s is not given", room, field.Name)
			}
		}
	}
}
