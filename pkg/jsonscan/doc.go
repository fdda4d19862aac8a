// Package jsonscan looks at a JSON object that stays bytes.
//
// [Scan] walks a document once. It validates all of it strictly (RFC 8259, UTF-8, a depth limit, nothing behind the
// value) and reports where the wanted top-level members lie, so that a request can be routed without being decoded.
// [Splice] writes the document again with some members replaced, inserted or removed and every other byte unchanged.
// [ScanObject], [ForEachMember] and [ForEachElement] look inside a value that was found.
//
// # What two readers could read differently
//
// A document that names a member twice, or spells its key with escapes, can mean one thing to this process and another
// to the server behind it. For wanted keys both are refused ([ErrDuplicate], [ErrEscapedKey]). Members that nobody
// asked for are passed over, doubled or not. Keys are compared byte by byte: "Model" is not "model". Some servers do
// fold case, so a caller that acts on a member should write its value back with Splice, and remove or refuse what it
// does not want forwarded.
//
// # Memory
//
// Scanning allocates nothing when the result slice is large enough. All spans are offsets into the body that was
// scanned and stay true as long as those bytes do. Nothing here keeps a reference to its arguments, and everything is
// safe for concurrent use as long as nobody changes the body.
package jsonscan
