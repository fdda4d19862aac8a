// Package classifier is the room that labels texts: what kind of work they ask
// for, how hard it is, and how to go about it.
//
// It is called by the request room beside the path of a turn, and by clients.
// It calls no other room and keeps nothing: statistics are those of this
// process.
//
// A classification asks tiers in order until one is sure enough. There is one
// tier, the rules of package rules, which never fails and answers in
// microseconds; its answer stands also where it stays below its threshold, and
// then says so in its tier result.
//
// In a batch each item stands for itself: an item that breaks a rule gets an
// error that names its field, the others their labels, all in the order of the
// request. A text of a batch and a text by itself get the same label.
package classifier
