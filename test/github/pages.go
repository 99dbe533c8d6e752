package githubtest

import (
	"html/template"
	"net/http"
	"sort"
	"strconv"
)

// The pages are for people who follow a link of the demo: plain, without scripts, and everything that a
// user wrote is text.
var layout = template.Must(template.New("page").Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{.Title}}</title><style>
:root{color-scheme:light dark}
body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}
table{border-collapse:collapse;width:100%}td,th{padding:.35rem .6rem;border-bottom:1px solid #8884;text-align:left;vertical-align:top}
pre{white-space:pre-wrap;overflow-wrap:anywhere;border:1px solid #8884;border-radius:6px;padding:.8rem;margin:.3rem 0 1.2rem}
.tag{border-radius:1rem;padding:.1rem .7rem;color:#fff;background:#57606a}
.open,.success{background:#1a7f37}.merged{background:#8250df}.closed,.failure,.error{background:#cf222e}.pending{background:#9a6700}
small,.dim{color:#8b949e}code{font-size:.9em}
</style></head><body>
<p class="dim"><a href="/{{.Repo}}">{{.Repo}}</a></p>
{{if .Pull}}{{with .Pull}}
<h1>{{.Title}} <span class="dim">#{{.Number}}</span></h1>
<p><span class="tag {{.State}}">{{.State}}</span> {{.Author}} wants <code>{{.Head}}</code> merged into <code>{{.Base}}</code> at <code>{{.SHA}}</code></p>
{{if .Body}}<pre>{{.Body}}</pre>{{end}}
<h2>Checks</h2>{{if .Statuses}}<table>{{range .Statuses}}<tr><td><span class="tag {{.State}}">{{.State}}</span></td><td><code>{{.Context}}</code></td><td>{{if .URL}}<a href="{{.URL}}">{{.Description}}</a>{{else}}{{.Description}}{{end}}</td></tr>{{end}}</table>{{else}}<p class="dim">No status has been reported.</p>{{end}}
<h2>Reviews</h2>{{if .Reviews}}<table>{{range .Reviews}}<tr><td>{{.Who}}</td><td>{{.What}}</td><td><code>{{.SHA}}</code></td><td>{{.Text}}</td><td class="dim">{{.When}}</td></tr>{{end}}</table>{{else}}<p class="dim">Nobody has reviewed it.</p>{{end}}
<h2>Conversation</h2>{{range .Comments}}<div id="{{.ID}}"><strong>{{.Who}}</strong> <small>{{.When}}</small><pre>{{.Text}}</pre></div>{{else}}<p class="dim">No comments.</p>{{end}}
{{end}}{{else}}<h1>{{.Repo}}</h1><h2>Pull requests</h2>{{if .Pulls}}<table>{{range .Pulls}}<tr><td><span class="tag {{.State}}">{{.State}}</span></td><td><a href="/{{$.Repo}}/pull/{{.Number}}">#{{.Number}} {{.Title}}</a></td><td>{{.Author}}</td></tr>{{end}}</table>{{else}}<p class="dim">There are none.</p>{{end}}{{end}}
</body></html>
`))

type pageView struct {
	Title, Repo string
	Pull        *pullView
	Pulls       []pullView
}

type pullView struct {
	Number                                      int
	Title, State, Author, Head, Base, SHA, Body string
	Statuses                                    []statusView
	Reviews, Comments                           []remark
}

type statusView struct{ State, Context, Description, URL string }

type remark struct{ ID, Who, What, SHA, Text, When string }

func (s *Server) pages(mux *http.ServeMux) {
	mux.HandleFunc("GET /{owner}/{repo}/pull/{number}", func(w http.ResponseWriter, r *http.Request) {
		n, err := strconv.Atoi(r.PathValue("number"))
		s.show(w, r, func(target *repo) *pageView {
			p := target.pulls[n]
			if p == nil || err != nil {
				return nil
			}
			v := viewOf(p)
			return &pageView{Title: p.title, Pull: &v}
		})
	})
	mux.HandleFunc("GET /{owner}/{repo}", func(w http.ResponseWriter, r *http.Request) {
		s.show(w, r, func(target *repo) *pageView {
			v := &pageView{Title: target.fullName()}
			for _, p := range target.pulls {
				v.Pulls = append(v.Pulls, viewOf(p))
			}
			sort.Slice(v.Pulls, func(i, j int) bool { return v.Pulls[i].Number > v.Pulls[j].Number })
			return v
		})
	})
}

// show renders a page. It asks for no login: the server listens for people on this machine.
func (s *Server) show(w http.ResponseWriter, r *http.Request, view func(*repo) *pageView) {
	s.mu.Lock()
	var v *pageView
	if target := s.repos[key(r.PathValue("owner"), r.PathValue("repo"))]; target != nil {
		if v = view(target); v != nil {
			v.Repo = target.fullName()
		}
	}
	s.mu.Unlock()
	if v == nil {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
	if err := layout.Execute(w, v); err != nil {
		return // the reader has gone; nobody is left to tell
	}
}

func viewOf(p *pull) pullView {
	v := pullView{
		Number: p.number, Title: p.title, State: "open", Author: p.author.login, Base: p.baseRef, SHA: short(p.headSHA),
		Head: p.headOwner.login + ":" + p.headRef, Body: p.body,
	}
	switch {
	case !p.merged.IsZero():
		v.State = "merged"
	case !p.open:
		v.State = "closed"
	}
	for _, st := range p.repo.latest(p.headSHA) {
		v.Statuses = append(v.Statuses, statusView{st.state, st.context, deref(st.description), deref(st.targetURL)})
	}
	for _, r := range p.reviews {
		v.Reviews = append(v.Reviews, remark{Who: r.user.login, What: r.state, SHA: short(r.commitID), Text: r.body, When: stamp(r.submitted)})
	}
	for _, m := range p.comments {
		v.Comments = append(v.Comments, remark{ID: "issuecomment-" + strconv.FormatInt(m.id, 10), Who: m.user.login, Text: m.body, When: stamp(m.updated)})
	}
	return v
}

func short(sha string) string { return sha[:min(len(sha), 7)] }

func deref(text *string) string {
	if text == nil {
		return ""
	}
	return *text
}
