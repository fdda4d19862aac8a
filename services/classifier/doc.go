// Package classifier is the room that labels texts: what kind of work they ask
// for, how hard it is, how to go about it, what it needs of a model, and
// whether it is a danger to one.
//
// It is called by the request and response rooms beside the path of a turn, and
// by clients. It calls the gpt room where a language model is configured as its
// last tier.
//
// # Tiers
//
// A classification asks tiers in order until one is sure enough: the rules of
// package rules, which never fail and answer in microseconds; the learned
// models, all heads in one pass; a language model. Where none is sure, the
// learned answer stands, else that of the rules. The result says which tier
// decided, what every tier said, and why.
//
// The language model is asked through the gpt room with a schema for its
// answer, behind a breaker, and never longer than is left of the
// classification's time or its caller's. What goes wrong with it costs an
// answer nothing but that tier: the result then says so in fallback, and its
// reason begins with it.
//
// # Models
//
// What answers for each head is one immutable lineup behind an atomic pointer:
// a call keeps the lineup that it took. The program carries models of its own,
// which are unpacked when they are first needed.
//
// # Batches
//
// In a batch each item stands for itself: an item that breaks a rule gets an
// error that names its field, the others their labels, all in the order of the
// request. A text of a batch and a text by itself get the same label.
package classifier
