package hostile

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/mockfhir/mockfhir/mockserver"
)

// TestHostileRequestsOfVersionOne sends the same families to version 1, whose
// statuses are HAPI's: what is wrong with a request is a 400, what is not there
// a 404, a page nobody knows a 410 (ans-server.md §14).
func TestHostileRequestsOfVersionOne(t *testing.T) {
	target := startTarget(t, mockserver.Production)
	families := hostilities(realToken(t, target.addr))
	there := strings.NewReplacer("/fhir/v2/_page?id=", "/fhir/v1?_getpages=a&_pageId=b_", "/fhir/v2", "/fhir/v1")
	for i := range families {
		shoot := families[i].shot
		families[i].shot = func(r *rand.Rand) shot {
			s := shoot(r)
			s.raw = there.Replace(s.raw)
			return s
		}
	}
	count := 1500
	target.attack(t, families, count/2, 3, []int{200, 400, 404, 410, 500})
	_, heap := settled(t, 0)
	statuses := target.attack(t, families, count, 4, []int{200, 400, 404, 410, 500})
	_, heapAfter := settled(t, 0)
	t.Logf("%d requests of %d families: %v; heap %d KiB, then %d KiB", count, len(families), statuses, heap>>10, heapAfter>>10)
	if heapAfter > heap+2*maxGrowth { // the searches it remembers are bounded, and more than noise
		t.Errorf("the heap grew from %d to %d KiB", heap>>10, heapAfter>>10)
	}
}
