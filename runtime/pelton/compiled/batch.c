/* What is done for each request of a batch: taking, beginning, encoding it, and cutting its answers. */

#include <math.h>
#include <string.h>

#include "core.h"

#define META_BYTES 9 /* f64 deadline | u8 whether there is a content type */
#define JOIN_BYTES (256 * 1024)

static Fields *as_fields(PyObject *value)
{
    if (value != NULL && is_fields(value))
        return (Fields *)value;
    if (!PyErr_Occurred())
        PyErr_SetString(PyExc_TypeError, "not an entry");
    return NULL;
}

static Py_ssize_t body_bytes(Fields *entry)
{
    if (PyBytes_CheckExact(entry->body))
        return PyBytes_Size(entry->body);
    return PyObject_Size(entry->body);
}

/* take(queue, now, cost, most, most_bytes, odd_above): as pelton.batching.forming.take. */
static PyObject *take(PyObject *Py_UNUSED(module), PyObject *args)
{
    PyObject *queue;
    double now, fixed_s, each_s, most, most_bytes, odd_above;
    if (!PyArg_ParseTuple(args, "Od(dd)ddd:take", &queue, &now, &fixed_s, &each_s, &most, &most_bytes, &odd_above))
        return NULL;
    PyObject *batch = PyList_New(0), *late = PyList_New(0);
    if (batch == NULL || late == NULL)
        goto failed;
    Py_ssize_t waiting = PyObject_Size(queue), taken = 0, size = 0;
    double tightest = INFINITY;
    while (waiting > 0 && (double)taken < most) {
        PyObject *first = PySequence_GetItem(queue, 0);
        Fields *entry = as_fields(first);
        if (entry == NULL) {
            Py_XDECREF(first);
            goto failed;
        }
        int is_done = entry->stage == core.done, is_late = entry->deadline <= now, is_odd = 0;
        Py_ssize_t bytes = body_bytes(entry);
        if (bytes < 0) {
            Py_DECREF(first);
            goto failed;
        }
        if (!is_done && !is_late) {
            if (entry->deadline < tightest)
                tightest = entry->deadline;
            is_odd = (double)bytes > odd_above;
            if (taken > 0
                && (is_odd || (double)(size + bytes) > most_bytes
                    || now + fixed_s + each_s * (double)(taken + 1) > tightest)) {
                Py_DECREF(first);
                break;
            }
        }
        PyObject *left = call0(queue, core.popleft);
        Py_XDECREF(left);
        waiting--;
        int failed = left == NULL || (!is_done && PyList_Append(is_late ? late : batch, first) < 0);
        Py_DECREF(first);
        if (failed)
            goto failed;
        if (is_done || is_late)
            continue;
        taken++;
        size += bytes;
        if (is_odd)
            break;
    }
    return Py_BuildValue("NnN", batch, size, late);
failed:
    Py_XDECREF(batch);
    Py_XDECREF(late);
    return NULL;
}

/* begin(batch, running, now, lane): as pelton.batching.lane.begin. */
static PyObject *begin(PyObject *Py_UNUSED(module), PyObject *args)
{
    PyObject *batch, *running, *lane;
    double now, earliest = INFINITY;
    Py_ssize_t size = 0;
    if (!PyArg_ParseTuple(args, "O!O!dO:begin", &PyList_Type, &batch, &PyDict_Type, &running, &now, &lane))
        return NULL;
    for (Py_ssize_t i = 0; i < PyList_Size(batch); i++) {
        Fields *entry = as_fields(PyList_GetItem(batch, i));
        if (entry == NULL)
            return NULL;
        Py_ssize_t bytes = body_bytes(entry);
        PyObject *id = bytes < 0 ? NULL : PyLong_FromUnsignedLongLong(entry->id);
        int failed = id == NULL || PyDict_SetItem(running, id, (PyObject *)entry) < 0;
        Py_XDECREF(id);
        if (failed)
            return NULL;
        size += bytes;
        if (entry->deadline < earliest)
            earliest = entry->deadline;
        if (entry->stage == core.done)
            continue;
        Py_INCREF(core.running);
        put(&entry->stage, core.running);
        entry->started_at = now;
        Py_INCREF(lane);
        put(&entry->lane, lane);
    }
    return Py_BuildValue("dn", earliest, size);
}

void write_header(char *out, const Header *header)
{
    memcpy(out, &header->payload, 4);
    memcpy(out + 4, &header->kind, 1);
    memcpy(out + 5, &header->flags, 1);
    memcpy(out + 6, &header->meta, 2);
    memcpy(out + 8, &header->id, 8);
}

Header read_header(const char *data)
{
    Header header;
    memcpy(&header.payload, data, 4);
    memcpy(&header.kind, data + 4, 1);
    memcpy(&header.flags, data + 5, 1);
    memcpy(&header.meta, data + 6, 2);
    memcpy(&header.id, data + 8, 8);
    return header;
}

/* Make a named tuple of many new references, which it takes; NULL if one of them is, or on failure. */
PyObject *new_tuple(PyTypeObject *type, PyObject **items, Py_ssize_t many)
{
    allocfunc allocate = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    PyObject *made = NULL;
    int is_whole = 1;
    for (Py_ssize_t i = 0; i < many; i++)
        is_whole = is_whole && items[i] != NULL;
    if (is_whole)
        made = allocate(type, many);
    for (Py_ssize_t i = 0; i < many; i++) {
        if (made == NULL)
            Py_XDECREF(items[i]);
        else
            PyTuple_SetItem(made, i, items[i]);
    }
    return made;
}

static const char *latin(PyObject *content_type, Py_ssize_t *bytes)
{
    const char *text = PyUnicode_AsUTF8AndSize(content_type, bytes);
    for (Py_ssize_t i = 0; text != NULL && i < *bytes; i++)
        if ((unsigned char)text[i] > 127) /* what UTF-8 and Latin-1 do not write alike */
            return NULL;
    return text;
}

/* encode(batch, kind): as messages.encode_requests, joined; None if that should do it. */
static PyObject *encode(PyObject *Py_UNUSED(module), PyObject *args)
{
    PyObject *batch;
    int kind;
    if (!PyArg_ParseTuple(args, "O!i:encode", &PyList_Type, &batch, &kind))
        return NULL;
    Py_ssize_t many = PyList_Size(batch), total = 0, type_bytes = 0;
    for (Py_ssize_t i = 0; i < many; i++) {
        Fields *entry = as_fields(PyList_GetItem(batch, i));
        if (entry == NULL)
            return NULL;
        if (!is_none(entry->content_type) && latin(entry->content_type, &type_bytes) == NULL) {
            PyErr_Clear();
            Py_RETURN_NONE;
        }
        if (!PyBytes_CheckExact(entry->body))
            Py_RETURN_NONE;
        if (is_none(entry->content_type))
            type_bytes = 0;
        total += HEADER_BYTES + META_BYTES + type_bytes + PyBytes_Size(entry->body);
        if (total > JOIN_BYTES || META_BYTES + type_bytes > 0xffff)
            Py_RETURN_NONE;
    }
    PyObject *joined = PyBytes_FromStringAndSize(NULL, total);
    if (joined == NULL)
        return NULL;
    char *out = PyBytes_AsString(joined);
    for (Py_ssize_t i = 0; i < many; i++) {
        Fields *entry = (Fields *)PyList_GetItem(batch, i);
        int has_type = !is_none(entry->content_type);
        const char *type = NULL;
        type_bytes = 0;
        if (has_type)
            type = latin(entry->content_type, &type_bytes);
        Py_ssize_t meta = META_BYTES + type_bytes, bytes = PyBytes_Size(entry->body);
        Header header = {(uint32_t)(meta + bytes), (uint8_t)kind, i + 1 < many ? 0 : LAST, (uint16_t)meta, entry->id};
        write_header(out, &header);
        memcpy(out + HEADER_BYTES, &entry->deadline, 8);
        out[HEADER_BYTES + 8] = (char)has_type;
        if (type_bytes)
            memcpy(out + HEADER_BYTES + META_BYTES, type, (size_t)type_bytes);
        out += HEADER_BYTES + meta;
        memcpy(out, PyBytes_AsString(entry->body), (size_t)bytes);
        out += bytes;
    }
    return joined;
}

static PyObject *new_answer(PyObject *about, const char *body, Py_ssize_t bytes)
{
    Py_INCREF(about);
    PyObject *items[] = {about, PyBytes_FromStringAndSize(body, bytes)};
    return new_tuple(core.answer, items, 2);
}

/* Note an answer for its lane; returns -1 on failure. */
static int note(PyObject *by_lane, PyObject *lane, PyObject *id, PyObject *answer)
{
    PyObject *list = PyDict_GetItemWithError(by_lane, lane);
    if (list == NULL) {
        if (PyErr_Occurred() || (list = PyList_New(0)) == NULL)
            return -1;
        int failed = PyDict_SetItem(by_lane, lane, list) < 0;
        Py_DECREF(list); /* the dictionary has it */
        if (failed)
            return -1;
    }
    PyObject *pair = PyTuple_Pack(2, id, answer);
    int failed = pair == NULL || PyList_Append(list, pair) < 0;
    Py_XDECREF(pair);
    return failed ? -1 : 0;
}

/* cut(data, where, read): the whole answers at the start of data, by lane, as FrameReader and Answers.take have
   them: (bytes taken, {lane: [(id, answer)]}). */
static PyObject *cut(PyObject *Py_UNUSED(module), PyObject *args)
{
    const char *data, *meta = NULL;
    Py_ssize_t end, at = 0, meta_bytes = -1;
    PyObject *where, *read, *about = NULL;
    if (!PyArg_ParseTuple(args, "y#O!O:cut", &data, &end, &PyDict_Type, &where, &read))
        return NULL;
    PyObject *by_lane = PyDict_New();
    if (by_lane == NULL)
        return NULL;
    while (end - at >= HEADER_BYTES) {
        Header header = read_header(data + at);
        Py_ssize_t payload = header.payload, metadata = header.meta;
        int is_answer = header.kind == core.answer_kind && header.flags & LAST;
        if (!is_answer || header.payload > MAX_PAYLOAD || metadata > payload || payload > end - at - HEADER_BYTES)
            break;
        const char *own = data + at + HEADER_BYTES;
        at += HEADER_BYTES + payload;
        PyObject *id = PyLong_FromUnsignedLongLong(header.id);
        PyObject *lane = id == NULL ? NULL : PyDict_GetItemWithError(where, id);
        if (lane == NULL) {
            Py_XDECREF(id);
            if (PyErr_Occurred())
                goto failed;
            continue; /* nobody waits for it */
        }
        Py_INCREF(lane);
        int failed = PyDict_DelItem(where, id) < 0;
        if (!failed && (metadata != meta_bytes || memcmp(own, meta, (size_t)metadata) != 0)) {
            meta = own;
            meta_bytes = metadata;
            put(&about, PyObject_CallFunction(read, "y#", meta, meta_bytes));
            failed = about == NULL;
        }
        if (!failed) {
            PyObject *answer = Py_None;
            if (about == Py_None)
                Py_INCREF(answer);
            else
                answer = new_answer(about, own + metadata, payload - metadata);
            failed = answer == NULL || note(by_lane, lane, id, answer) < 0;
            Py_XDECREF(answer);
        }
        Py_DECREF(lane);
        Py_DECREF(id);
        if (failed)
            goto failed;
    }
    Py_XDECREF(about);
    return Py_BuildValue("nN", at, by_lane);
failed:
    Py_XDECREF(about);
    Py_DECREF(by_lane);
    return NULL;
}

PyMethodDef batch_methods[] = {
    {"take", take, METH_VARARGS, "As pelton.batching.forming.take."},
    {"begin", begin, METH_VARARGS, "As pelton.batching.lane.begin."},
    {"encode", encode, METH_VARARGS, "As messages.encode_requests, joined; None if that should do it."},
    {"cut", cut, METH_VARARGS, "cut(data, where, read): the whole answers at the start of data, by lane."},
    {NULL, NULL, 0, NULL},
};
