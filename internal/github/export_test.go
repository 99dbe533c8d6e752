package github

// Held is how many bytes are held at the moment.
func (p *Payloads) Held() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.held
}
