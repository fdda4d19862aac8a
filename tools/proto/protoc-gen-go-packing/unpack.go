package main

import (
	"google.golang.org/protobuf/compiler/protogen"
)

// unpack writes Unpack. A field of another type than the contract's is unknown.
func (g *generator) unpack(m *protogen.Message) {
	g.P()
	g.P("// Unpack implements packing.Message.")
	g.P("func (x *", m.GoIdent, ") Unpack(data []byte, within ", packingPackage.Ident("Within"), ") error {")
	g.P("r := ", packingPackage.Ident("NewReader"), "(data, within)")
	g.P("for r.Next() {")
	g.P("switch r.Key {")
	for _, f := range m.Fields {
		g.unpackField(f)
	}
	g.P("default:")
	g.P("x.unknownFields = r.Unknown(x.unknownFields)")
	g.P("}")
	g.P("}")
	g.P("return r.Err")
	g.P("}")
}

func (g *generator) unpackField(f *protogen.Field) {
	name, k := "x."+f.GoName, must(f)
	g.P("case ", single(f), ": // ", f.Desc.Name())
	if o := plainOneof(f); o != nil {
		if !k.isMessage() {
			g.P("x.", o.GoName, " = &", f.GoIdent, "{", f.GoName, ": ", g.read(f, true), "}")
			return
		}
		g.P("v, ok := x.", o.GoName, ".(*", f.GoIdent, ")")
		g.P("if !ok || v == nil || v.", f.GoName, " == nil {")
		g.P("v = &", f.GoIdent, "{", f.GoName, ": new(", f.Message.GoIdent, ")}")
		g.P("x.", o.GoName, " = v")
		g.P("}")
		g.into(k, "v."+f.GoName)
		return
	}
	switch {
	case f.Desc.IsMap():
		g.unpackEntry(f, name)
	case several(f):
		g.P(name, " = append(", name, ", ", g.read(f, false), ")")
		g.P("case ", packedKey(f), ": // ", f.Desc.Name(), ", packed")
		g.P("outer := &r")
		g.P("r := outer.Packed()")
		g.P("for r.More() {")
		g.P(name, " = append(", name, ", ", g.read(f, false), ")")
		g.P("}")
		g.P("outer.Within(r)")
	case f.Desc.IsList() && k.isMessage():
		g.P("v := new(", f.Message.GoIdent, ")")
		g.P(name, " = append(", name, ", v)")
		g.into(k, "v")
	case f.Desc.IsList():
		g.P(name, " = append(", name, ", ", g.read(f, true), ")")
	case k.isMessage():
		g.P("if ", name, " == nil { ", name, " = new(", f.Message.GoIdent, ") }")
		g.into(k, name)
	case f.Desc.HasPresence() && k != data:
		g.P("v := ", g.read(f, true))
		g.P(name, " = &v")
	default:
		g.P(name, " = ", g.read(f, f.Desc.HasPresence()))
	}
}

// unpackEntry reads an entry of a map. A key or value that is not there is zero.
func (g *generator) unpackEntry(f *protogen.Field, name string) {
	fields := f.Message.Fields
	g.P("outer := &r")
	g.P("r := outer.Entry()")
	g.P("var k ", g.goType(fields[0]))
	if must(fields[1]).isMessage() {
		g.P("v := new(", fields[1].Message.GoIdent, ")")
	} else {
		g.P("var v ", g.goType(fields[1]))
	}
	g.P("for r.Next() {")
	g.P("switch r.Key {")
	g.P("case ", single(fields[0]), ":")
	g.P("k = ", g.read(fields[0], false))
	g.P("case ", single(fields[1]), ":")
	if must(fields[1]).isMessage() {
		g.into(must(fields[1]), "v")
	} else {
		g.P("v = ", g.read(fields[1], true))
	}
	g.P("default:")
	g.P("r.Skip()")
	g.P("}")
	g.P("}")
	g.P("if outer.Within(r); outer.Err == nil {")
	g.P("if ", name, " == nil { ", name, " = make(map[", g.goType(fields[0]), "]", g.pointed(fields[1]), ") }")
	g.P(name, "[k] = v")
	g.P("}")
}

func (g *generator) pointed(f *protogen.Field) string {
	if must(f).isMessage() {
		return "*" + g.QualifiedGoIdent(f.Message.GoIdent)
	}
	return g.goType(f)
}

func (g *generator) goType(f *protogen.Field) string {
	switch must(f) {
	case truth:
		return "bool"
	case enum:
		return g.QualifiedGoIdent(f.Enum.GoIdent)
	case float:
		return "float32"
	case double:
		return "float64"
	case text:
		return "string"
	case data:
		return "[]byte"
	}
	return f.Desc.Kind().String() // int32, int64, uint32, uint64
}

// read reads one value that is no message. present says that bytes may be there
// without any.
func (g *generator) read(f *protogen.Field, present bool) string {
	switch must(f) {
	case truth:
		return "r.Varint() != 0"
	case float:
		return "r.Float()"
	case double:
		return "r.Double()"
	case text:
		return "r.String()"
	case data:
		if present {
			return "append([]byte{}, r.Bytes()...)"
		}
		return "r.Bytes()"
	}
	return g.goType(f) + "(r.Varint())"
}

// into reads a message.
func (g *generator) into(k kind, v string) {
	g.P("r.", map[kind]string{message: "Message", foreign: "Foreign", timestamp: "Timestamp", duration: "Duration"}[k], "(", v, ")")
}
