// Package route chooses a model: it knows policies, the catalogue as it was
// given, what was observed of late, and the features of a turn. It calls
// nothing and keeps no texts.
//
// A choice has two steps. Filters say which models can answer at all:
// capabilities, context length, health, price, and what the policy allows. Then
// each that is left gets a score, the weighted geometric mean of
//
//   - fit: how well the model's quality meets the turn's need,
//   - quality: how capable it is,
//   - price: 1 for free of charge, less the dearer,
//   - latency: near 1 for quick answers, less the longer they take,
//   - success: the share of whole answers, as observed of late.
//
// Of those that are as good as the best one, two are drawn and the one with
// fewer requests under way is taken, so that equals share the load.
package route
