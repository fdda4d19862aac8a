// Package gpt is the room that calls models: the only one that talks to model
// providers.
//
// It owns the ledger of attempts, the configured providers and what is known of
// their models. The response room calls Generate; the rest is for clients too.
// It calls no other room.
//
// What it promises:
//
//   - Every call of a provider is one row of the ledger: reserved before the
//     first chunk is sent on, settled exactly once, before the last one is.
//   - A call is made again only before the first chunk, where the provider
//     cannot have begun or clearly refused, within a budget.
//   - Where provider and client speak one dialect, the provider's bytes pass
//     through unchanged; otherwise every event obeys the grammar.
//   - What the mesh has no words for (speech, images, moderation, the models of an
//     Ollama server) is passed on as it is but for the model's name.
//   - When the client leaves, the provider's connection is closed at once, and
//     the attempt is settled with what was used.
//   - No key and no word of a provider about its own trouble reaches a client;
//     no answer is ever made up. The one exception says so itself: the test
//     model echo, which Config.Production turns off.
package gpt
