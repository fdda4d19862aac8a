// Package journal is an append-only file of records that the stores of one
// process share: what it acknowledged survives a kill of the process and a loss
// of power. Records of concurrent callers reach the disk together, with one
// flush for all of them.
//
// The journal stands before other stores: a record is kept until its store says
// that the record is part of it, and is given back after a crash otherwise. It
// knows stores by name and records as bytes.
//
// # On disk
//
// A folder of segments, files written from their beginning and used again once
// every record in them is part of its store. Every record has a checksum and a
// number higher than all before it, in this segment and in all earlier ones. So
// the end of a segment is found without a mark: at a torn record, at what is
// left of an earlier use, or at the end of the file. A record that was written ahead
// of its group may stand in the next segment once more.
//
// Beside them two slates: memory that is a file, in which the records of the next group
// are gathered, so that the end of the process does not take them. Once their group is
// on the disk they are in a segment, and are wiped from the slate.
package journal
