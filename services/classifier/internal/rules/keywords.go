package rules

import classifierv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/classifier/v1"

// pattern is forms of one word, any of which is a match. A form is a word, or
// two words joined by a space (any white space in the text) or a hyphen.
type pattern []string

// types are the types of work in the order in which ties are settled.
var types = [...]struct {
	is       classifierv1.TaskType
	name     string
	patterns [10]pattern
}{
	{classifierv1.TaskType_TASK_TYPE_BUG_FIX, "bug_fix", [10]pattern{
		{"fix", "fixes", "fixed", "fixing", "hotfix", "bugfix"},
		{"bug", "bugs", "buggy"},
		{"error", "errors", "erroneous"},
		{"crash", "crashes", "crashed", "crashing"},
		{"broken", "breaks", "not working"},
		{"fail", "fails", "failed", "failing", "failure", "failures"},
		{"regression", "regressions"},
		{"wrong", "incorrect", "incorrectly", "defect", "defects"},
		{"exception", "exceptions", "panic", "panics", "stacktrace"},
		{"issue", "issues", "problem", "problems"},
	}},
	{classifierv1.TaskType_TASK_TYPE_REFACTOR, "refactor", [10]pattern{
		{"refactor", "refactors", "refactored", "refactoring"},
		{"restructure", "restructures", "restructuring", "reorganize", "reorganise"},
		{"cleanup", "clean up", "clean-up", "tidy"},
		{"simplify", "simplifies", "simplifying"},
		{"rename", "renames", "renaming"},
		{"extract", "extracts", "extracting"},
		{"rewrite", "rewrites", "rewriting"},
		{"modernize", "modernise", "modernizing"},
		{"deduplicate", "duplication", "duplicated"},
		{"decouple", "decoupling", "modularize", "modularise"},
	}},
	{classifierv1.TaskType_TASK_TYPE_DOCUMENTATION, "documentation", [10]pattern{
		{"document", "documents", "documented", "documenting", "documentation", "docs", "doc"},
		{"readme"},
		{"comment", "comments"},
		{"guide", "guides", "handbook"},
		{"tutorial", "tutorials", "walkthrough"},
		{"explain", "explains", "explaining", "explanation", "describe", "describes"},
		{"changelog", "release notes"},
		{"docstring", "docstrings", "javadoc", "godoc"},
		{"howto", "how to"},
		{"manual", "wiki"},
	}},
	{classifierv1.TaskType_TASK_TYPE_TEST, "test", [10]pattern{
		{"test", "tests", "tested", "testing"},
		{"unit test", "unit tests", "unit-test", "unit-tests"},
		{"integration test", "integration tests", "e2e"},
		{"coverage"},
		{"mock", "mocks", "mocking"},
		{"assert", "asserts", "assertion", "assertions"},
		{"fixture", "fixtures", "testdata"},
		{"pytest", "jest", "junit", "vitest"},
		{"flaky", "flakiness"},
		{"fuzz", "fuzzing"},
	}},
	{classifierv1.TaskType_TASK_TYPE_DEPLOYMENT, "deployment", [10]pattern{
		{"deploy", "deploys", "deployed", "deploying", "deployment", "deployments"},
		{"release", "releases", "released", "releasing"},
		{"docker", "dockerfile", "container", "containers"},
		{"kubernetes", "k8s", "helm"},
		{"pipeline", "pipelines"},
		{"ci", "cd", "workflow"},
		{"rollout", "rollback", "roll out", "roll back"},
		{"production", "staging"},
		{"terraform", "ansible", "infrastructure"},
		{"publish", "publishes", "publishing", "ship"},
	}},
	{classifierv1.TaskType_TASK_TYPE_FEATURE, "feature", [10]pattern{
		{"add", "adds", "added", "adding"},
		{"implement", "implements", "implemented", "implementing"},
		{"create", "creates", "created", "creating"},
		{"new"},
		{"feature", "features"},
		{"introduce", "introduces", "introducing"},
		{"support", "supports", "supporting"},
		{"enable", "enables", "enabling", "allow", "allows"},
		{"develop", "develops", "developing"},
		{"extend", "extends", "extending"},
	}},
}

// complexWords and simpleWords are patterns of complexity.
var (
	complexWords = []pattern{
		{"complex"}, {"major"}, {"architecture"}, {"rewrite"}, {"migration"},
		{"refactor all"}, {"large-scale"}, {"entire"}, {"system-wide"},
	}
	simpleWords = []pattern{
		{"small"}, {"quick"}, {"minor"}, {"trivial"}, {"typo"}, {"one-line"}, {"simple"},
	}
)

// unmatched is the type of a text that matches nothing.
const unmatched = classifierv1.TaskType_TASK_TYPE_FEATURE
