package main

import (
	"fmt"

	"google.golang.org/protobuf/compiler/protogen"
)

// size writes PackedSize.
func (g *generator) size(m *protogen.Message) {
	g.P()
	g.P("// PackedSize implements packing.Message.")
	g.P("func (x *", m.GoIdent, ") PackedSize() int {")
	g.P("if x == nil { return 0 }")
	g.P("n := len(x.unknownFields)")
	for _, f := range m.Fields {
		g.sizeField(f)
	}
	g.P("return n")
	g.P("}")
}

func (g *generator) sizeField(f *protogen.Field) {
	name := "x." + f.GoName
	if o := plainOneof(f); o != nil {
		g.P("if v, ok := x.", o.GoName, ".(*", f.GoIdent, "); ok && v != nil {")
		g.P("n += ", keySize(f), " + ", g.valueSize(must(f), "v."+f.GoName))
		g.P("}")
		return
	}
	switch {
	case f.Desc.IsMap():
		if k := must(f.Message.Fields[1]); k == truth || k == float || k == double {
			g.P("for k := range ", name, " {")
		} else {
			g.P("for k, v := range ", name, " {")
		}
		g.P("n += ", keySize(f), " + ", g.runtime("SizeBytes"), "(", g.entrySize(f), ")")
		g.P("}")
	case several(f):
		g.P("if len(", name, ") > 0 {")
		switch must(f) {
		case truth:
			g.P("n += ", keySize(f), " + ", g.runtime("SizeBytes"), "(len(", name, "))")
		case float:
			g.P("n += ", keySize(f), " + ", g.runtime("SizeBytes"), "(4*len(", name, "))")
		case double:
			g.P("n += ", keySize(f), " + ", g.runtime("SizeBytes"), "(8*len(", name, "))")
		default:
			g.P("l := 0")
			g.P("for _, v := range ", name, " { l += ", g.valueSize(must(f), "v"), " }")
			g.P("n += ", keySize(f), " + ", g.runtime("SizeBytes"), "(l)")
		}
		g.P("}")
	case f.Desc.IsList():
		g.P("for _, v := range ", name, " { n += ", keySize(f), " + ", g.valueSize(must(f), "v"), " }")
	default:
		g.P("if ", g.present(f, name), " { n += ", keySize(f), " + ", g.valueSize(must(f), value(f, name)), " }")
	}
}

// entrySize is the length of the entry k, v of a map.
func (g *generator) entrySize(f *protogen.Field) string {
	fields := f.Message.Fields
	return fmt.Sprintf("2 + %s + %s", g.valueSize(must(fields[0]), "k"), g.valueSize(must(fields[1]), "v"))
}

// present is the condition under which a field is written.
func (g *generator) present(f *protogen.Field, name string) string {
	k := must(f)
	switch {
	case k.isMessage() || f.Desc.HasPresence():
		return name + " != nil"
	case k == text:
		return name + ` != ""`
	case k == data:
		return "len(" + name + ") > 0"
	case k == truth:
		return name
	case k == float:
		return g.runtime("IsDouble") + "(float64(" + name + "))"
	case k == double:
		return g.runtime("IsDouble") + "(" + name + ")"
	}
	return name + " != 0"
}

// value is the value of a field that is present.
func value(f *protogen.Field, name string) string {
	if f.Desc.HasPresence() && !must(f).isMessage() && must(f) != data {
		return "*" + name
	}
	return name
}

// valueSize is the length of a value without its key.
func (g *generator) valueSize(k kind, v string) string {
	switch k {
	case truth:
		return "1"
	case float:
		return "4"
	case double:
		return "8"
	case text, data:
		return g.runtime("SizeBytes") + "(len(" + v + "))"
	case message:
		return g.runtime("SizeBytes") + "(" + v + ".PackedSize())"
	case foreign:
		return g.runtime("SizeForeign") + "(" + v + ")"
	case timestamp:
		return g.runtime("SizeTimestamp") + "(" + v + ")"
	case duration:
		return g.runtime("SizeDuration") + "(" + v + ")"
	}
	return g.runtime("SizeVarint") + "(uint64(" + v + "))"
}
