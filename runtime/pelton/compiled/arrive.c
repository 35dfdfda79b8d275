/* A request's way in where nothing about it is unusual: the bytes are one whole request whose head has
been parsed before, on a connection that waits for one, and the queue has room. Everything else goes
to Python. */

#include <string.h>

#include "core.h"

#define MAX_HEAD 2048 /* heads.Heads remembers no longer ones */
#define LOOK_EVERY 8  /* arrivals, between two looks at slots that will be through soon */

static const char END[] = "\r\n\r\n";

static Py_ssize_t head_bytes(const char *data, Py_ssize_t size)
{
    const char *at = data, *end = data + (size < MAX_HEAD ? size : MAX_HEAD);
    while ((at = memchr(at, '\r', (size_t)(end - at))) != NULL) {
        if (end - at < 4)
            return -1;
        if (memcmp(at, END, 4) == 0)
            return at + 4 - data;
        at++;
    }
    return -1;
}

static int same(PyObject *bytes, const char *data, Py_ssize_t size)
{
    return bytes != NULL && PyBytes_Size(bytes) == size && memcmp(PyBytes_AsString(bytes), data, (size_t)size) == 0;
}

/* Have the link know the head at the start of data: 1 if it does, 0 if nobody does, -1 on failure. */
static int recall(Link *self, Way *way, const char *data, Py_ssize_t size)
{
    if (same(self->known, data, size))
        return 1;
    PyObject *key = PyBytes_FromStringAndSize(data, size);
    PyObject *head = key == NULL ? NULL : PyDict_GetItemWithError(way->known, key);
    if (head == NULL) {
        Py_XDECREF(key);
        return PyErr_Occurred() ? -1 : 0;
    }
    Py_INCREF(head);
    int found = -1;
    PyObject *length = PyObject_GetAttr(head, core.content_length);
    PyObject *type = PyObject_GetAttr(head, core.content_type);
    PyObject *timeout = PyObject_GetAttr(head, core.timeout);
    PyObject *request_id = PyObject_GetAttr(head, core.request_id);
    if (length != NULL && type != NULL && timeout != NULL && request_id != NULL) {
        if (timeout != Py_None || length == Py_None) {
            found = 0;
        } else {
            self->content_length = PyLong_AsSsize_t(length);
            if (!(self->content_length == -1 && PyErr_Occurred())) {
                found = 1;
                Py_INCREF(key);
                put(&self->known, key);
                Py_INCREF(head);
                put(&self->head, head);
                Py_INCREF(type);
                put(&self->content_type, type);
                Py_INCREF(request_id);
                put(&self->request_id, request_id == Py_None ? NULL : request_id);
                if (request_id == Py_None)
                    Py_DECREF(request_id);
            }
        }
    }
    Py_XDECREF(length);
    Py_XDECREF(type);
    Py_XDECREF(timeout);
    Py_XDECREF(request_id);
    Py_DECREF(head);
    Py_DECREF(key);
    return found;
}

static int call(PyObject *self, PyObject *name)
{
    PyObject *result = call0(self, name);
    Py_XDECREF(result);
    return result == NULL ? -1 : 0;
}

/* Whether one more request with so many bytes may be queued without asking anybody. */
static int has_room(Line *line, Way *way, Py_ssize_t bytes)
{
    if (line->room <= 0 || line->room_bytes <= 0 || bytes > way->max_bytes)
        return 0;
    double waiting = (double)(line->limit - line->room);
    return line->drained_per_s <= 0.0 || waiting + 1.0 <= line->drained_per_s * way->timeout_s;
}

/* Queue a request: 1 if that was all, 0 if Python should do it, -1 on failure. */
static int arrive(Link *self, Way *way, const char *body, Py_ssize_t bytes)
{
    Line *line = way->line;
    if (line->turn_at == 0.0 && call((PyObject *)line, core.turn_at_name) < 0)
        return -1;
    if (line->turn_at == 0.0 || !has_room(line, way, bytes))
        return 0;
    PyObject *number = PyObject_CallNoArgs(way->next_id);
    if (number == NULL)
        return -1;
    unsigned long long id = PyLong_AsUnsignedLongLong(number);
    Py_DECREF(number);
    if (PyErr_Occurred())
        return -1;
    Fields *entry = (Fields *)PyType_GenericAlloc(way->invocation, 0);
    if (entry == NULL)
        return -1;
    entry->id = id;
    entry->came_at = entry->queued_at = line->turn_at;
    entry->deadline = line->turn_at + way->timeout_s;
    entry->bytes_in = bytes;
    entry->is_complete = entry->keep_alive = 1;
    Py_INCREF(core.queued);
    entry->stage = core.queued;
    Py_INCREF(self->content_type);
    entry->content_type = self->content_type;
    Py_XINCREF(self->request_id);
    entry->request_id = self->request_id;
    Py_INCREF(way->on_done);
    entry->on_done = way->on_done;
    Py_INCREF(way->desk);
    entry->desk = way->desk;
    Py_INCREF(self->head);
    entry->head = self->head;
    entry->connection = (PyObject *)self;
    Py_INCREF(entry->connection);
    entry->body = PyBytes_FromStringAndSize(body, bytes);
    PyObject *appended = entry->body == NULL ? NULL : call1(line->queue, core.append, (PyObject *)entry);
    Py_XDECREF(appended);
    if (appended == NULL) {
        Py_DECREF(entry);
        return -1;
    }
    line->queued++;
    line->queued_bytes += bytes;
    line->room--;
    line->room_bytes -= bytes;
    way->seen++;
    double deadline = entry->deadline;
    put(&self->cycle, (PyObject *)entry); /* with the reference that is ours */
    if (deadline < line->watched) {
        PyObject *watched = call1((PyObject *)line, core.watch, self->cycle);
        Py_XDECREF(watched);
        if (watched == NULL)
            return -1;
    }
    if (way->seen % LOOK_EVERY == 0 && call((PyObject *)line, core.look) < 0)
        return -1;
    return 1;
}

static int is_free(Link *self, Way *way)
{
    if (is_none(self->cycle))
        return 1;
    return Py_TYPE(self->cycle) == way->invocation && ((Fields *)self->cycle)->response_complete;
}

/* Link.data_received(data): as reference.Link has it, but for requests that are queued here. */
PyObject *link_data_received(PyObject *object, PyObject *data)
{
    Link *self = (Link *)object;
    self->idle_since = 0.0;
    if (!is_none(self->way) && self->is_between && PyBytes_CheckExact(data)) {
        Way *way = (Way *)self->way;
        if (is_free(self, way)) {
            const char *text = PyBytes_AsString(data);
            Py_ssize_t size = PyBytes_Size(data), start = head_bytes(text, size);
            int is_done = start < 0 ? 0 : recall(self, way, text, start);
            if (is_done > 0 && size - start != self->content_length)
                is_done = 0;
            if (is_done > 0 && !is_none(self->keep_alive_task) && call(object, core.unset_keep_alive) < 0)
                is_done = -1;
            if (is_done > 0)
                is_done = arrive(self, way, text + start, size - start);
            if (is_done < 0)
                return NULL;
            if (is_done > 0)
                Py_RETURN_NONE;
        }
    }
    return call1(object, core.receive, data);
}
