package learn

// extractorVersion is the version of everything that turns a text into keys:
// scanning, placeholders, cues, hashing. A model names the version it was
// trained with; another one refuses it.
const extractorVersion = 3

const (
	hashSeed  = 0xcbf29ce484222325
	hashPrime = 0x100000001b3
	hashMul   = 0x9e3779b97f4a7c15
)

// mix joins b to a. It is not symmetric.
func mix(a, b uint64) uint64 {
	a = (a ^ b) * hashMul
	return a ^ a>>29
}

// hashBytes is FNV-1a, the hash that the scanner rolls along a word.
func hashBytes(s string) uint64 {
	h := uint64(hashSeed)
	for i := 0; i < len(s); i++ {
		h = (h ^ uint64(s[i])) * hashPrime
	}
	return h
}

// featureKey makes the 32-bit key of a feature from what it stands for and a
// salt that keeps kinds of features apart.
func featureKey(h uint64, salt uint64) uint32 {
	h = (h ^ salt) * hashMul
	h ^= h >> 32
	return uint32(h * hashMul >> 32)
}

// groupKey is the key of a group's own copy of a feature.
func groupKey(key uint32, group uint64) uint32 {
	return uint32((uint64(key)<<32 | group&0xffffffff) * hashMul >> 32)
}

// groupHash is a group's number in groupKey.
func groupHash(group string) uint64 { return mix(hashBytes(group), 0x6772) >> 16 }

// The salts of the kinds of features.
const (
	saltWord uint64 = (iota + 1) * 0x0c_7c_c1_b7_27_22_0a_95
	saltBigram
	saltTitle
	saltTitleBigram
	saltHead
	saltLine
	saltLinePair
	saltCue
	saltCode
	saltSkip
	saltTrigram
	saltChar
	saltMeasure
)
