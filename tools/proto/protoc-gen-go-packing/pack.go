package main

import (
	"google.golang.org/protobuf/compiler/protogen"
	"google.golang.org/protobuf/encoding/protowire"
)

// pack writes Pack.
func (g *generator) pack(m *protogen.Message) {
	g.P()
	g.P("// Pack implements packing.Message.")
	g.P("func (x *", m.GoIdent, ") Pack(w *", packingPackage.Ident("Writer"), ") {")
	g.P("if x == nil { return }")
	g.P("w.Raw(x.unknownFields)")
	for _, f := range descending(m) {
		g.packField(f)
	}
	g.P("}")
}

func (g *generator) packField(f *protogen.Field) {
	name := "x." + f.GoName
	if o := plainOneof(f); o != nil {
		g.P("if v, ok := x.", o.GoName, ".(*", f.GoIdent, "); ok && v != nil {")
		g.packValue(must(f), key(f), "v."+f.GoName)
		g.P("}")
		return
	}
	switch {
	case f.Desc.IsMap():
		fields := f.Message.Fields
		g.P("for k, v := range ", name, " {")
		g.P("entry := w.At()")
		g.packValue(must(fields[1]), key(fields[1]), "v")
		g.packValue(must(fields[0]), key(fields[0]), "k")
		g.P("w.Head(", key(f), ", entry)")
		g.P("}")
	case several(f):
		g.P("if len(", name, ") > 0 {")
		g.P("end := w.At()")
		g.P("for i := len(", name, ") - 1; i >= 0; i-- {")
		switch v := name + "[i]"; must(f) {
		case float:
			g.P("w.Float32(", v, ")")
		case double:
			g.P("w.Float64(", v, ")")
		case truth:
			g.P("if ", v, " { w.Number(1) } else { w.Number(0) }")
		default:
			g.P("w.Number(uint64(", v, "))")
		}
		g.P("}")
		g.P("w.Head(", key(f), ", end)")
		g.P("}")
	case f.Desc.IsList():
		g.P("for i := len(", name, ") - 1; i >= 0; i-- {")
		g.packValue(must(f), key(f), name+"[i]")
		g.P("}")
	default:
		g.P("if ", g.present(f, name), " {")
		g.packValue(must(f), key(f), value(f, name))
		g.P("}")
	}
}

// packValue writes a value with its key.
func (g *generator) packValue(k kind, key uint64, v string) {
	switch k {
	case message:
		g.P("end := w.At()")
		g.P(v, ".Pack(w)")
		g.P("w.Head(", key, ", end)")
	case number, enum:
		g.P("w.Varint(", key, ", uint64(", v, "))")
	default:
		g.P("w.", map[kind]string{
			truth: "Bool", float: "Float", double: "Double", text: "String", data: "Bytes", foreign: "Foreign", timestamp: "Timestamp", duration: "Duration",
		}[k], "(", key, ", ", v, ")")
	}
}

// packedKey is the key of a field whose values may stand without keys.
func packedKey(f *protogen.Field) uint64 {
	return protowire.EncodeTag(f.Desc.Number(), protowire.BytesType)
}
