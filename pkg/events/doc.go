// Package events carries domain events from the transaction that they tell of
// to whoever wants to know. It knows no room: what an event means is its
// payload's.
//
// A room makes the record of its events with a [Recorder] and hands it to its
// store, which writes it in the transaction of the change: neither is ever
// there without the other. Records lie in an outbox beside the room's tables.
// The outboxes are the log of the process: a [Broker] delivers from it to
// groups of consumers, at least once, in order per source and key. The embedded
// broker reads the log where it lies; for others a relay moves it on.
//
// A handler that returns an error gets the event again, after a pause that
// grows, and later events of its group wait. After Subscription.MaxAttempts the
// event becomes a dead letter, which can be listed and put back. An event can
// come more than once: a handler that must act once keeps Event.id in the
// transaction of what it does, as a unique column.
package events
