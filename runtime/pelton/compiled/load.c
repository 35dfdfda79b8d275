/* A load generator's usual answer, and the request that follows it on the same connection: a whole answer
of status 200 whose bytes are known to be right, in a loop that goes on. Everything else goes to Python. */

#include <string.h>
#include <strings.h>

#include "core.h"

static const char START[] = "HTTP/1.1 200";

/* reference.Account */
typedef struct {
    PyObject_HEAD
    PyObject *latencies;
    Py_ssize_t sent, in_window, rows, until_sample;
} Account;

/* reference.Asker */
typedef struct {
    PyObject_HEAD
    PyObject *clock, *tally, *picks, *idle, *backlog, *again;
    Py_ssize_t busy;
    double window_end, asking_until;
} Asker;

/* reference.Wire */
typedef struct {
    PyObject_HEAD
    PyObject *client, *transport, *request;
    double intended;
    char is_partial, is_open;
} Wire;

static int is_named(const char *line, const char *colon, const char *name)
{
    size_t length = strlen(name);
    return (size_t)(colon - line) == length && strncasecmp(line, name, length) == 0;
}

static int is_blank(char c) { return c == ' ' || c == '\t'; }

/* Look at one line of a head: 0 if only Python can tell what it means. */
static int look(const char *line, const char *end, Py_ssize_t *length)
{
    const char *colon = memchr(line, ':', (size_t)(end - line));
    if (colon == NULL)
        return 0;
    const char *value = colon + 1;
    while (value < end && is_blank(*value))
        value++;
    while (end > value && is_blank(end[-1]))
        end--;
    if (is_named(line, colon, "transfer-encoding"))
        return 0;
    if (is_named(line, colon, "connection"))
        return end - value == 10 && strncasecmp(value, "keep-alive", 10) == 0;
    if (!is_named(line, colon, "content-length"))
        return 1;
    if (*length >= 0 || value == end || end - value > 15)
        return 0;
    for (*length = 0; value < end; value++) {
        if (*value < '0' || *value > '9')
            return 0;
        *length = *length * 10 + (*value - '0');
    }
    return 1;
}

/* Where the body begins if data is one whole usual answer; 0 if it is not, or not that alone. */
static Py_ssize_t body_of(const char *data, Py_ssize_t size)
{
    const char *line = data, *end = data + size;
    Py_ssize_t length = -1;
    if (size < (Py_ssize_t)sizeof START || memcmp(data, START, sizeof START - 1) != 0)
        return 0;
    for (;;) {
        const char *stop = memchr(line, '\r', (size_t)(end - line));
        if (stop == NULL || end - stop < 2 || stop[1] != '\n')
            return 0;
        if (stop == line)
            return length == end - (stop + 2) ? stop + 2 - data : 0;
        if (line != data && !look(line, stop, &length))
            return 0;
        line = stop + 2;
    }
}

/* Whether a body is one that is known to be right; -1 on failure. */
static int is_right(PyObject *request, const char *body, Py_ssize_t size)
{
    int answer = -1;
    PyObject *expectation = PyObject_GetAttr(request, core.expectation);
    if (expectation == Py_None) {
        answer = 1;
    } else if (expectation != NULL) {
        PyObject *known = PyObject_GetAttr(expectation, core.known);
        PyObject *bytes = known == NULL ? NULL : PyBytes_FromStringAndSize(body, size);
        if (bytes != NULL)
            answer = PySet_Contains(known, bytes);
        Py_XDECREF(bytes);
        Py_XDECREF(known);
    }
    Py_XDECREF(expectation);
    return answer;
}

static int look_at_clock(Asker *asker, double *seconds)
{
    PyObject *now = PyObject_CallNoArgs(asker->clock);
    if (now == NULL)
        return -1;
    *seconds = PyFloat_AsDouble(now);
    Py_DECREF(now);
    return *seconds == -1.0 && PyErr_Occurred() ? -1 : 0;
}

/* As Tally.succeed. */
static int count(Account *tally, PyObject *request, double latency_s, int in_window, const char *head, Py_ssize_t size)
{
    PyObject *rows = PyObject_GetAttr(request, core.rows);
    if (rows == NULL)
        return -1;
    Py_ssize_t many = PyLong_AsSsize_t(rows);
    Py_DECREF(rows);
    if (many == -1 && PyErr_Occurred())
        return -1;
    PyObject *latency = PyFloat_FromDouble(latency_s);
    if (latency == NULL)
        return -1;
    int failed = PyList_Append(tally->latencies, latency);
    if (failed == 0) {
        tally->in_window += in_window;
        tally->rows += many;
        if (--tally->until_sample <= 0) {
            PyObject *bytes = PyBytes_FromStringAndSize(head, size);
            PyObject *sampled = bytes == NULL ? NULL
                : PyObject_CallMethodObjArgs((PyObject *)tally, core.sample, latency, bytes, NULL);
            failed = sampled == NULL ? -1 : 0;
            Py_XDECREF(sampled);
            Py_XDECREF(bytes);
        }
    }
    Py_DECREF(latency);
    return failed;
}

#define PIECE_BYTES (1024 * 1024) /* what is larger is written in pieces, by Python */

/* Send the next request of the mix; Asker and Wire are those of a loop that goes on. */
static int ask(Wire *self, Asker *asker, Account *tally)
{
    PyObject *request = PyIter_Next(asker->picks);
    if (request == NULL) {
        if (!PyErr_Occurred())
            PyErr_SetString(PyExc_RuntimeError, "the mix has ended");
        return -1;
    }
    tally->sent++;
    put(&self->request, request);
    PyObject *wire = PyObject_GetAttr(request, core.wire);
    if (wire == NULL || look_at_clock(asker, &self->intended) < 0) {
        Py_XDECREF(wire);
        return -1;
    }
    int is_large = PyBytes_CheckExact(wire) && PyBytes_Size(wire) > PIECE_BYTES;
    PyObject *written = is_large ? call1((PyObject *)self, core.send_in_pieces, wire)
                                 : call1(self->transport, core.write, wire);
    Py_XDECREF(written);
    Py_DECREF(wire);
    return written == NULL ? -1 : 0;
}

/* Take an answer: 1 if that was all, 0 if Python should do it, -1 on failure. */
static int take(Wire *self, Asker *asker, const char *data, Py_ssize_t size)
{
    if (!self->is_open || is_none(asker->clock) || is_none(asker->tally) || is_none(asker->picks)
        || !PyObject_TypeCheck(asker->tally, core.account) || !PyIter_Check(asker->picks))
        return 0; /* Python says what is wrong */
    Py_ssize_t waiting = PyObject_Size(asker->backlog), start = body_of(data, size);
    double now;
    if (waiting < 0 || look_at_clock(asker, &now) < 0)
        return -1;
    int is_loop = !is_none(asker->again);
    if (start == 0 || waiting > 0 || (is_loop && now >= asker->asking_until))
        return 0;
    int right = is_right(self->request, data + start, size - start);
    if (right <= 0)
        return right;
    Account *tally = (Account *)asker->tally;
    Py_INCREF(tally);
    int failed = count(tally, self->request, now - self->intended, now < asker->window_end, data, start - 2);
    if (failed == 0 && is_loop) {
        failed = ask(self, asker, tally);
    } else if (failed == 0) {
        put(&self->request, NULL);
        asker->busy--;
        failed = PyList_Append(asker->idle, (PyObject *)self);
    }
    Py_DECREF(tally);
    return failed < 0 ? -1 : 1;
}

/* Wire.data_received(data): as reference.Wire has it, but for usual answers. */
static PyObject *wire_data_received(PyObject *object, PyObject *data)
{
    Wire *self = (Wire *)object;
    if (!self->is_partial && !is_none(self->request) && PyBytes_CheckExact(data) && self->client != NULL
        && PyObject_TypeCheck(self->client, core.asker)) {
        Asker *asker = (Asker *)self->client;
        Py_INCREF(asker);
        int is_done = take(self, asker, PyBytes_AsString(data), PyBytes_Size(data));
        Py_DECREF(asker);
        if (is_done < 0)
            return NULL;
        if (is_done > 0)
            Py_RETURN_NONE;
    }
    return call1(object, core.receive, data);
}

static PyMemberDef account_members[] = {
    OBJECT(Account, "latencies", latencies),
    COUNT(Account, "sent", sent),
    COUNT(Account, "in_window", in_window),
    COUNT(Account, "rows", rows),
    COUNT(Account, "_until_sample", until_sample),
    {NULL, 0, 0, 0, NULL},
};

static PyMemberDef asker_members[] = {
    OBJECT(Asker, "_clock", clock),
    OBJECT(Asker, "_tally", tally),
    OBJECT(Asker, "_picks", picks),
    OBJECT(Asker, "_idle", idle),
    OBJECT(Asker, "_backlog", backlog),
    OBJECT(Asker, "_again", again),
    COUNT(Asker, "_busy", busy),
    DOUBLE(Asker, "_window_end", window_end),
    DOUBLE(Asker, "_asking_until", asking_until),
    {NULL, 0, 0, 0, NULL},
};

static PyMemberDef wire_members[] = {
    OBJECT(Wire, "_client", client),
    OBJECT(Wire, "_transport", transport),
    OBJECT(Wire, "request", request),
    DOUBLE(Wire, "intended", intended),
    FLAG(Wire, "_is_partial", is_partial),
    FLAG(Wire, "is_open", is_open),
    {NULL, 0, 0, 0, NULL},
};

static PyMethodDef wire_methods[] = {
    {"data_received", wire_data_received, METH_O, "As reference.Wire.data_received."},
    {NULL, NULL, 0, NULL},
};

#define ACCOUNT_OBJECTS(self, visit) visit((self)->latencies)
#define ASKER_OBJECTS(self, visit)                                                             \
    visit((self)->clock); visit((self)->tally); visit((self)->picks); visit((self)->idle);     \
    visit((self)->backlog); visit((self)->again)
#define WIRE_OBJECTS(self, visit)                                                              \
    visit((self)->client); visit((self)->transport); visit((self)->request)

COLLECTED(Account, account, ACCOUNT_OBJECTS)
COLLECTED(Asker, asker, ASKER_OBJECTS)
COLLECTED(Wire, wire, WIRE_OBJECTS)

PLAIN_TYPE(Account, account)
PLAIN_TYPE(Asker, asker)

static PyType_Slot wire_slots[] = {
    {Py_tp_members, wire_members},
    {Py_tp_methods, wire_methods},
    COLLECTED_SLOTS(wire),
    {Py_tp_doc, "As reference.Wire."},
    {0, NULL},
};

static PyType_Spec wire_spec = {
    "pelton.compiled.core.Wire", sizeof(Wire), 0,
    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC, wire_slots,
};

int add_load(PyObject *module)
{
    PyTypeObject *wire;
    if (add_type(module, &account_spec, &core.account) < 0 || add_type(module, &asker_spec, &core.asker) < 0)
        return -1;
    return add_type(module, &wire_spec, &wire);
}
