// Package wire is where the dialects of language-model APIs meet: each dialect
// is translated to and from the one canonical turn and the one event grammar
// of gptmesh.conversation.v1, never directly into another dialect.
//
// The package itself holds what all dialects share: the Codec seam, the
// Grammar that every answer obeys, the Assembler that makes messages of
// events, and the table of dialects. Each dialect is a package below. The
// gateway's faces, the gpt room's providers and the response room's assembly
// all use the same codecs; wire knows none of them.
package wire
