// Package learn is the learned tier of the classifier: one engine for many
// heads, each a linear model over hashed word and character n-grams that is
// trained from labelled rows by one call, says how sure it is and why, and
// lives in one small file.
//
// # From rows to a model
//
// [ReadRows] reads labelled JSON Lines. [Train] turns them into a [Model]: it
// looks at the rows (their length, number of labels, groups, weak and strong
// columns) to choose its settings, fits logistic regression whose weights move
// in proportion to their naive-Bayes log-count ratio, calibrates the
// probabilities on predictions for rows that were held out, and quantises the
// weights to one byte. The same rows, settings and seed give the same bytes.
//
// # Two kinds of head
//
// A label head chooses one of its labels. A routing head is trained on the
// columns weak and strong (whether a weak and a strong model answered right)
// and predicts how much a text needs the strong one.
//
// A head of two labels, one of which means that nothing was found ("benign"),
// judges windows of some words and answers by the worst of them; see
// docs/adr/0019-guards-read-windows.md.
//
// # At run time
//
// [Load] checks a file and uses its bytes in place. A [Set] holds several
// models; [Set.Classify] passes over the text once for all of them. Models and
// sets are immutable and safe for concurrent use; what a call needs is pooled.
// [Model.Evidence] names the strongest features of one answer.
//
// # Groups
//
// Rows may name a group (a repository, a tenant). Their features are then kept
// twice: once for everybody and once for the group. With three groups or more a
// text of an unknown group is judged by views: how it begins, by features that
// several groups share, with weights of their own. With fewer it is judged by
// the shared features alone.
package learn
