package v1

import (
	"sync"

	"github.com/mockfhir/mockfhir/internal/store"
)

// documents keeps resources as XML: they never change, and most are asked for
// again.
type documents struct {
	mu    sync.RWMutex
	texts map[store.Doc][]byte
	size  int
}

// maxDocuments bounds what is kept, in bytes. Past it, everything is forgotten
// and written anew: a directory that big is walked, not asked again.
const maxDocuments = 64 << 20

func (d *documents) of(doc store.Doc) []byte {
	d.mu.RLock()
	text, known := d.texts[doc]
	d.mu.RUnlock()
	if known {
		return text
	}
	text = appendXML(nil, parsed(doc.Text()))
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.texts == nil || d.size+len(text) > maxDocuments {
		d.texts, d.size = map[store.Doc][]byte{}, 0
	}
	d.texts[doc] = text
	d.size += len(text)
	return text
}
