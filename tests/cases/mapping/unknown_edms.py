"""An unknown EDMS: OAuth2 client credentials, snake_case Ukrainian JSON, 201 with number, paged changes, PDF answers."""
import base64, json, secrets, sys, threading, time, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit, parse_qs
TOKENS = {}
DOCS = {}      # id -> doc
CHANGES = []   # list of dicts
LOCK = threading.Lock()
PDF = b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"
LOG = open(sys.argv[2] if len(sys.argv) > 2 else "edms.log", "a", buffering=1)
PAGE = 5
TTL = int(sys.argv[3]) if len(sys.argv) > 3 else 60
ANSWER_SECS = float(sys.argv[4]) if len(sys.argv) > 4 else 8

class H(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def log_message(self, *a): pass
    def say(self, status, obj=None, raw=None, ct="application/json; charset=utf-8", extra=()):
        b = raw if raw is not None else json.dumps(obj, ensure_ascii=False).encode()
        self.send_response(status); self.send_header("Content-Type", ct); self.send_header("Content-Length", str(len(b)))
        for k, v in extra: self.send_header(k, v)
        self.end_headers(); self.wfile.write(b)
        LOG.write(f"{datetime.datetime.now():%T} {self.command} {self.path} -> {status} {b[:300]!r}\n")
    def authed(self):
        t = self.headers.get("Authorization", "")
        return t.startswith("Bearer ") and TOKENS.get(t[7:], 0) > time.time()
    def body(self):
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))
    def do_POST(self):
        u = urlsplit(self.path); b = self.body()
        if u.path == "/oauth/token":
            f = parse_qs(b.decode())
            basic = self.headers.get("Authorization", "")
            ok = basic == "Basic " + base64.b64encode(b"hub:s3cret").decode() or (f.get("client_id") == ["hub"] and f.get("client_secret") == ["s3cret"])
            if not ok: return self.say(401, {"error": "invalid_client"})
            if f.get("grant_type") != ["client_credentials"]: return self.say(400, {"error": "unsupported_grant_type"})
            t = secrets.token_urlsafe(24); TOKENS[t] = time.time() + TTL
            return self.say(200, {"access_token": t, "token_type": "Bearer", "expires_in": TTL})
        if u.path == "/api/v2/zvernennia":
            if not self.authed(): return self.say(401, {"pomylka": "token_nediysnyi", "opys": "Токен відсутній або прострочений"}, extra=[("WWW-Authenticate", 'Bearer error="invalid_token"')])
            LOG.write(f"BODY {b.decode()[:3000]}\n")
            try: d = json.loads(b)
            except Exception: return self.say(400, {"pomylka": "bad_json"})
            faults = []
            for k in ("zovnishnii_id", "data_nadkhodzhennia", "kod_vydu", "pib", "adresa", "tekst_zvernennia", "kod_pidrozdilu"):
                if not d.get(k): faults.append({"pole": k, "opys": "обов'язкове поле"})
            try: datetime.datetime.strptime(d.get("data_nadkhodzhennia") or "", "%d.%m.%Y")
            except ValueError: faults.append({"pole": "data_nadkhodzhennia", "opys": "формат dd.mm.yyyy"})
            if faults: return self.say(422, {"pomylka": "validatsiia", "polia": faults})
            with LOCK:
                for i, x in DOCS.items():
                    if x["zovnishnii_id"] == d["zovnishnii_id"]:
                        return self.say(409, {"pomylka": "dublikat", "id_dokumenta": i, "reiestratsiinyi_nomer": x["nomer"], "data_reiestratsii": x["data"]})
                i = 4000 + len(DOCS) + 1
                DOCS[i] = {**d, "nomer": f"К-{i}/26", "data": f"{datetime.date.today():%d.%m.%Y}", "stan": "zareiestrovano", "t": time.time()}
                CHANGES.append({"nomer_zminy": len(CHANGES) + 1, "id_dokumenta": i, "stan": "zareiestrovano", "chas": f"{datetime.datetime.now():%d.%m.%Y %H:%M:%S}"})
            threading.Timer(ANSWER_SECS, self.finish_doc, (i,)).start()
            return self.say(201, {"id_dokumenta": i, "zovnishnii_id": d["zovnishnii_id"], "reiestratsiinyi_nomer": DOCS[i]["nomer"], "data_reiestratsii": DOCS[i]["data"]}, extra=[("Location", f"/api/v2/zvernennia/{i}")])
        self.say(404, {"pomylka": "nema"})
    def finish_doc(self, i):
        with LOCK:
            DOCS[i]["stan"] = "vidpovid_nadana"
            DOCS[i]["vidpovid"] = {"nomer": f"{i}/вих", "data": f"{datetime.date.today():%d.%m.%Y}", "rezultat": 1, "fail": f"/api/v2/zvernennia/{i}/vidpovid.pdf", "korotko": "Задоволено."}
            CHANGES.append({"nomer_zminy": len(CHANGES) + 1, "id_dokumenta": i, "stan": "vidpovid_nadana", "chas": f"{datetime.datetime.now():%d.%m.%Y %H:%M:%S}", "vidpovid": DOCS[i]["vidpovid"]})
    def do_GET(self):
        u = urlsplit(self.path); q = parse_qs(u.query)
        if not self.authed(): return self.say(401, {"pomylka": "token_nediysnyi"})
        if u.path == "/api/v2/zminy":
            since = int(q.get("pislia", ["0"])[0]); page = int(q.get("storinka", ["1"])[0])
            c = [x for x in CHANGES if x["nomer_zminy"] > since]
            part = c[(page - 1) * PAGE: page * PAGE]
            return self.say(200, {"storinka": page, "vsoho_storinok": max(1, -(-len(c) // PAGE)), "zminy": part})
        p = u.path.split("/")
        if u.path.startswith("/api/v2/zvernennia/") and p[4].isdigit() and int(p[4]) in DOCS:
            i = int(p[4])
            if len(p) > 5: return self.say(200, raw=PDF, ct="application/pdf")
            x = DOCS[i]
            return self.say(200, {"id_dokumenta": i, "stan": x["stan"], "reiestratsiinyi_nomer": x["nomer"], "data_reiestratsii": x["data"], **({"vidpovid": x["vidpovid"]} if "vidpovid" in x else {})})
        self.say(404, {"pomylka": "nema"})
ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), H).serve_forever()
