// Package packing is the runtime of the generated packers: messages of the mesh
// read from and written to the protobuf wire without reflection. What they write
// any protobuf implementation reads, and they read what any writes: strings must
// be UTF-8, unknown fields are kept, fields that come twice are merged, and
// nesting is bounded, as the library has it.
package packing
