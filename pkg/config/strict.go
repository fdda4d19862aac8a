package config

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// wrongKeys lists every key of node that target's type does not have, with its
// line and the nearest key that it does have, and every key whose value is of
// another kind. Values are not shown: one may be a secret.
func wrongKeys(node *yaml.Node, target any) error {
	var errs []error
	check(node, reflect.TypeOf(target), "", &errs)
	return errors.Join(errs...)
}

func check(node *yaml.Node, t reflect.Type, path string, errs *[]error) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case node.Kind == yaml.SequenceNode && t.Kind() == reflect.Slice:
		for i, item := range node.Content {
			check(item, t.Elem(), fmt.Sprintf("%s[%d]", path, i), errs)
		}
	case node.Kind == yaml.MappingNode && t.Kind() == reflect.Map:
		for i := 0; i+1 < len(node.Content); i += 2 {
			check(node.Content[i+1], t.Elem(), join(path, node.Content[i].Value), errs)
		}
	case node.Kind == yaml.MappingNode && t.Kind() == reflect.Struct:
		known := structKeys(t)
		for i := 0; i+1 < len(node.Content); i += 2 {
			key, value := node.Content[i], node.Content[i+1]
			field, ok := known[key.Value]
			if !ok {
				*errs = append(*errs, unknown(key, path, known))
				continue
			}
			check(value, field, join(path, key.Value), errs)
		}
	default:
		if node.Decode(reflect.New(t).Interface()) != nil {
			place := ""
			if path != "" { // else it is the whole
				place = path + ": "
			}
			*errs = append(*errs, fmt.Errorf("line %d: %swant %s", node.Line, place, wanted(t)))
		}
	}
}

// wanted is the kind of a value, for people.
func wanted(t reflect.Type) string {
	switch {
	case t == durationType:
		return "a duration like 30s or 5m"
	case t.Kind() == reflect.Bool:
		return "true or false"
	case t.Kind() == reflect.Slice:
		return "a list"
	case t.Kind() == reflect.Struct, t.Kind() == reflect.Map:
		return "keys with values"
	case reflect.Zero(t).CanInt(), reflect.Zero(t).CanUint():
		return "a whole number"
	case reflect.Zero(t).CanFloat():
		return "a number"
	}
	return "a text"
}

func unknown(key *yaml.Node, path string, known map[string]reflect.Type) error {
	best, distance := "", min(4, len(key.Value)/2+1) // of a short key every other one is near
	for candidate := range known {
		if d := editDistance(key.Value, candidate); d < distance || d == distance && best != "" && candidate < best {
			best, distance = candidate, d
		}
	}
	text := fmt.Sprintf("line %d: unknown key %q", key.Line, join(path, key.Value))
	if best != "" {
		text += fmt.Sprintf("; did you mean %q?", join(path, best))
	}
	return errors.New(text)
}

// structKeys are the yaml keys of a struct, inlined structs included.
func structKeys(t reflect.Type) map[string]reflect.Type {
	keys := map[string]reflect.Type{}
	for i := range t.NumField() {
		f := t.Field(i)
		if !f.IsExported() {
			continue
		}
		name, options := yamlName(f)
		if name == "-" {
			continue
		}
		if strings.Contains(options, "inline") {
			for k, v := range structKeys(f.Type) {
				keys[k] = v
			}
			continue
		}
		keys[name] = f.Type
	}
	return keys
}

func yamlName(f reflect.StructField) (name, options string) {
	name, options, _ = strings.Cut(f.Tag.Get("yaml"), ",")
	if name == "" {
		name = strings.ToLower(f.Name)
	}
	return name, options
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// editDistance is Levenshtein's.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		previous := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			previous, row[j] = row[j], min(row[j]+1, row[j-1]+1, previous+cost)
		}
	}
	return row[len(b)]
}

var durationType = reflect.TypeFor[time.Duration]()
