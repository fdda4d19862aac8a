// Package wiretest holds every dialect to the same promises.
//
// Run takes a codec and a folder of fixtures, recorded as the real services
// send them, and checks what wire.Codec says: events obey the grammar however
// the network cut the bytes, a raw answer passes unchanged, what is encoded
// decodes to the same, unknown members survive their own dialect. What came
// out is compared with golden files beside the fixtures.
package wiretest
