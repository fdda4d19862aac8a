// Package gateway is the only room that knows HTTP: it puts the faces over the
// rooms and the edge before the faces. It keeps nothing.
//
// Package edge is what every request meets, answer what every chat face shares;
// openai, responses, ollama, anthropic and rest are the faces. The gateway validates, translates,
// passes on, and cancels inward the moment that a client is gone. It never
// calls a provider and never answers by itself what a model should.
package gateway
