/* The worker's side of the channel: a batch's requests out of bytes, its answers into bytes. */

#include <string.h>

#include "core.h"

#define META_BYTES 9 /* f64 deadline | u8 whether there is a content type */
#define JOIN_BYTES (64 * 1024)

/* cut_requests(data, at, kind, type): the whole REQUEST frames of one batch at the start of data[at:],
   as requests of a type: (where they end, requests, whether the last one of the batch is among them). */
static PyObject *cut_requests(PyObject *Py_UNUSED(module), PyObject *args)
{
    const char *data, *known = NULL;
    Py_ssize_t end, at, known_bytes = -1;
    int kind, is_whole = 0;
    PyObject *type, *content_type = NULL;
    if (!PyArg_ParseTuple(args, "y#niO!:cut_requests", &data, &end, &at, &kind, &PyType_Type, &type))
        return NULL;
    if (!PyType_IsSubtype((PyTypeObject *)type, &PyTuple_Type)) {
        PyErr_SetString(PyExc_TypeError, "requests must be tuples");
        return NULL;
    }
    PyObject *requests = PyList_New(0);
    if (requests == NULL)
        return NULL;
    while (!is_whole && end - at >= HEADER_BYTES) {
        Header header = read_header(data + at);
        Py_ssize_t payload = header.payload, meta = header.meta;
        if (header.kind != kind || header.payload > MAX_PAYLOAD || meta > payload || meta < META_BYTES
            || payload > end - at - HEADER_BYTES)
            break;
        const char *own = data + at + HEADER_BYTES, *text = own + META_BYTES;
        Py_ssize_t text_bytes = own[8] ? meta - META_BYTES : -1;
        double deadline;
        memcpy(&deadline, own, 8);
        if (content_type == NULL || text_bytes != known_bytes
            || (text_bytes > 0 && memcmp(text, known, (size_t)text_bytes) != 0)) {
            known = text;
            known_bytes = text_bytes;
            if (text_bytes < 0)
                Py_INCREF(Py_None);
            put(&content_type, text_bytes < 0 ? Py_None : PyUnicode_DecodeLatin1(text, text_bytes, NULL));
            if (content_type == NULL)
                goto failed;
        }
        Py_INCREF(content_type);
        PyObject *items[] = {
            PyLong_FromUnsignedLongLong(header.id),
            PyBytes_FromStringAndSize(own + meta, payload - meta),
            content_type,
            PyFloat_FromDouble(deadline),
        };
        PyObject *request = new_tuple((PyTypeObject *)type, items, 4);
        int failed = request == NULL || PyList_Append(requests, request) < 0;
        Py_XDECREF(request);
        if (failed)
            goto failed;
        at += HEADER_BYTES + payload;
        is_whole = header.flags & LAST;
    }
    Py_XDECREF(content_type);
    return Py_BuildValue("nNO", at, requests, is_whole ? Py_True : Py_False);
failed:
    Py_XDECREF(content_type);
    Py_DECREF(requests);
    return NULL;
}

/* encode_answers(answers, kind, pack): as messages.encode_answers, joined; None if that should do it. */
static PyObject *encode_answers(PyObject *Py_UNUSED(module), PyObject *args)
{
    PyObject *answers, *pack, *known = NULL, *packed = NULL;
    int kind;
    if (!PyArg_ParseTuple(args, "O!iO:encode_answers", &PyList_Type, &answers, &kind, &pack))
        return NULL;
    Py_ssize_t many = PyList_Size(answers), total = 0;
    for (Py_ssize_t i = 0; i < many; i++) {
        unsigned long long id;
        PyObject *meta, *body;
        if (!PyArg_ParseTuple(PyList_GetItem(answers, i), "KOO", &id, &meta, &body))
            return NULL;
        if (known == NULL)
            known = meta;
        if (meta != known || !PyBytes_CheckExact(body)) /* of a batch, all have one */
            Py_RETURN_NONE;
        total += PyBytes_Size(body);
        if (total > JOIN_BYTES)
            Py_RETURN_NONE;
    }
    if (known == NULL)
        Py_RETURN_NONE;
    packed = PyObject_CallFunctionObjArgs(pack, known, NULL);
    if (packed == NULL || !PyBytes_Check(packed)) {
        if (packed != NULL)
            PyErr_SetString(PyExc_TypeError, "metadata must be packed as bytes");
        Py_XDECREF(packed);
        return NULL;
    }
    Py_ssize_t meta_bytes = PyBytes_Size(packed);
    PyObject *joined = PyBytes_FromStringAndSize(NULL, total + many * (HEADER_BYTES + meta_bytes));
    char *out = joined == NULL ? NULL : PyBytes_AsString(joined);
    for (Py_ssize_t i = 0; joined != NULL && i < many; i++) {
        unsigned long long id;
        PyObject *meta, *body;
        if (!PyArg_ParseTuple(PyList_GetItem(answers, i), "KOO", &id, &meta, &body)) {
            Py_CLEAR(joined);
            break;
        }
        Py_ssize_t bytes = PyBytes_Size(body);
        Header header = {(uint32_t)(meta_bytes + bytes), (uint8_t)kind, LAST, (uint16_t)meta_bytes, id};
        write_header(out, &header);
        memcpy(out + HEADER_BYTES, PyBytes_AsString(packed), (size_t)meta_bytes);
        memcpy(out + HEADER_BYTES + meta_bytes, PyBytes_AsString(body), (size_t)bytes);
        out += HEADER_BYTES + meta_bytes + bytes;
    }
    Py_DECREF(packed);
    return joined;
}

PyMethodDef worker_methods[] = {
    {"cut_requests", cut_requests, METH_VARARGS, "cut_requests(data, at, kind, type): the requests of one batch at the start of data[at:]."},
    {"encode_answers", encode_answers, METH_VARARGS, "As messages.encode_answers, joined; None if that should do it."},
    {NULL, NULL, 0, NULL},
};
