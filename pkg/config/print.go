package config

import (
	"bytes"
	"reflect"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// masked stands for a secret that is set.
const masked = "(set)"

// Print returns the configuration as YAML, every secret masked. The text can be
// loaded again, secrets apart.
func Print(source any) ([]byte, error) {
	v := reflect.ValueOf(source)
	for v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	if err := encoder.Encode(node(v, false)); err != nil {
		return nil, err
	}
	return out.Bytes(), encoder.Close()
}

func node(v reflect.Value, secret bool) *yaml.Node {
	if secret {
		if v.IsZero() {
			return node(v, false)
		}
		return scalar(masked)
	}
	if d, ok := v.Interface().(time.Duration); ok {
		return scalar(d.String())
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return scalar(nil)
		}
		return node(v.Elem(), false)
	case reflect.Struct:
		out := &yaml.Node{Kind: yaml.MappingNode}
		appendFields(out, v)
		return out
	case reflect.Slice:
		out := &yaml.Node{Kind: yaml.SequenceNode}
		for i := range v.Len() {
			out.Content = append(out.Content, node(v.Index(i), false))
		}
		if v.Len() == 0 {
			out.Style = yaml.FlowStyle
		}
		return out
	case reflect.Map:
		return mapNode(v)
	}
	return scalar(v.Interface())
}

func appendFields(out *yaml.Node, v reflect.Value) {
	for i := range v.NumField() {
		f := v.Type().Field(i)
		name, options := yamlName(f)
		if !f.IsExported() || name == "-" {
			continue
		}
		if strings.Contains(options, "inline") {
			appendFields(out, v.Field(i))
			continue
		}
		out.Content = append(out.Content, scalar(name), node(v.Field(i), f.Tag.Get("secret") == "true"))
	}
}

func mapNode(v reflect.Value) *yaml.Node {
	out := &yaml.Node{Kind: yaml.MappingNode}
	keys := v.MapKeys()
	sortKeys(keys)
	for _, k := range keys {
		out.Content = append(out.Content, scalar(k.Interface()), node(v.MapIndex(k), false))
	}
	if len(keys) == 0 {
		out.Style = yaml.FlowStyle
	}
	return out
}

func scalar(value any) *yaml.Node {
	n := &yaml.Node{}
	_ = n.Encode(value) // a scalar always encodes
	return n
}

func sortKeys(keys []reflect.Value) {
	slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
}
