"""Makers of the hostile inputs that are binary, large, or not text: each writes into a book directory."""

import gzip
import io
import os
import pickle
import stat
import zipfile

import xlsxwriter

HEADER = ["account_id", "name", "owner", "arr"]
ROW = ["A-1", "Acme", "E-1", 100]
CSV = "account_id,name,owner,arr\nA-1,Acme,E-1,100\n"


def sheet(path, rows, name="accounts", formulas=()):
    """An XLSX of one sheet: text as text, numbers as numbers."""
    book = xlsxwriter.Workbook(str(path), {"strings_to_formulas": False, "strings_to_urls": False})
    page = book.add_worksheet(name)
    for i, row in enumerate(rows):
        for j, value in enumerate(row):
            if isinstance(value, str):
                page.write_string(i, j, value)
            elif value is not None:
                page.write(i, j, value)
    for row, column, formula, value in formulas:
        page.write_formula(row, column, formula, None, value)
    book.close()
    return path


def edited(path, changes=None, added=None):
    """The archive again, with parts changed by functions of their bytes, and parts added."""
    out = io.BytesIO()
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for info in old.infolist():
            content = old.read(info.filename)
            new.writestr(info, (changes or {}).get(info.filename, lambda same: same)(content))
        for name, content in (added or {}).items():
            new.writestr(name, content)
    path.write_bytes(out.getvalue())


def plain(folder):
    """A harmless accounts.xlsx in place of accounts.csv."""
    (folder / "accounts.csv").unlink(missing_ok=True)
    return sheet(folder / "accounts.xlsx", [HEADER, ROW])


SHEET = "xl/worksheets/sheet1.xml"
STRINGS = "xl/sharedStrings.xml"


def utf16_le(folder):
    (folder / "accounts.csv").write_bytes(b"\xff\xfe" + CSV.encode("utf-16-le"))


def utf16_be(folder):
    (folder / "accounts.csv").write_bytes(b"\xfe\xff" + CSV.encode("utf-16-be"))


def cp1252(folder):
    (folder / "accounts.csv").write_bytes(CSV.replace("Acme", "O’Neil").encode("cp1252"))


def mixed_encodings(folder):
    (folder / "accounts.csv").write_bytes(CSV.replace("Acme", "Café").encode() + "A-2,Café,E-1,1\n".encode("cp1252"))


def nul_bytes(folder):
    (folder / "accounts.csv").write_bytes(CSV.replace("Acme", "Ac\0me").encode())


def nul_in_sheet(folder):
    edited(plain(folder), {STRINGS: lambda xml: xml.replace(b"Acme", b"Ac_x0000_me")})


def ten_million_rows(folder):
    """A sparse file as large as ten million rows."""
    with (folder / "accounts.csv").open("wb") as file:
        file.write(CSV.encode())
        file.truncate(400_000_000)


def two_million_lines(folder):
    (folder / "accounts.csv").write_bytes(CSV.encode() + b"\n" * 2_000_000)


def truncated_xlsx(folder):
    path = plain(folder)
    path.write_bytes(path.read_bytes()[:-300])


def footer_in_sheet(folder):
    (folder / "accounts.csv").unlink(missing_ok=True)
    sheet(folder / "accounts.xlsx", [HEADER, ROW, ["Grand Total", None, None, 100], ["Confidential Information"]])


def titles_in_sheet(folder):
    (folder / "accounts.csv").unlink(missing_ok=True)
    sheet(folder / "accounts.xlsx", [["Accounts by owner"], ["As of today"], [None], HEADER, ROW])


def ids_in_sheet(folder):
    (folder / "accounts.csv").unlink(missing_ok=True)
    sheet(folder / "accounts.xlsx", [HEADER, ["00123", "a", "E-1", 1], ["123", "NA", "E-1", 2], ["1E5", "c", "E-1", 3]])


def eighteen_digits(folder):
    (folder / "accounts.csv").unlink(missing_ok=True)
    sheet(folder / "accounts.xlsx", [HEADER, [123456789012345678, "a", "E-1", 1]])


def eighteen_digits_csv(folder):
    (folder / "accounts.csv").write_text("account_id,name,owner,arr\n1.23457E+17,a,E-1,1\n", encoding="utf-8")


def long_id(folder):
    (folder / "accounts.csv").write_text(CSV + f"{'x' * 10_000},b,E-1,1\n", encoding="utf-8")


def zip_bomb(folder):
    """Six hundred megabytes of nothing in less than a megabyte."""
    edited(plain(folder), added={"xl/media/nothing.bin": bytes(600 * 2**20)})


def zip_bomb_by_ratio(folder):
    edited(plain(folder), added={"xl/worksheets/sheet9.xml": b" " * (40 * 2**20)})


def lying_zip(folder):
    """A part that unpacks to more than its header claims."""
    path = plain(folder)
    edited(path, {SHEET: lambda xml: xml + b" " * 3_000_000})
    content = bytearray(path.read_bytes())
    size = len(zipfile.ZipFile(path).read(SHEET)).to_bytes(4, "little")
    start = content.rfind(b"PK\x01\x02", 0, content.rfind(SHEET.encode()))
    at = content.index(size, start)
    content[at : at + 4] = (1000).to_bytes(4, "little")
    path.write_bytes(bytes(content))


def billion_laughs(folder):
    entities = b"".join(b'<!ENTITY l%d "%s">' % (n, b"&l%d;" % (n - 1) * 10 if n else b"lol") for n in range(10))
    doctype = b"?>\n<!DOCTYPE lolz [" + entities + b"]>"
    edited(plain(folder), {SHEET: lambda xml: xml.replace(b"?>", doctype, 1).replace(b"<v>0</v>", b"<v>&l9;</v>", 1)})


def external_entity(folder):
    doctype = b'?>\n<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>'
    edited(plain(folder), {STRINGS: lambda xml: xml.replace(b"?>", doctype, 1).replace(b"Acme", b"&e;")})


def external_dtd(folder):
    doctype = b'?>\n<!DOCTYPE x SYSTEM "http://127.0.0.1:9/x.dtd">'
    edited(plain(folder), {SHEET: lambda xml: xml.replace(b"?>", doctype, 1)})


def far(folder, cell):
    added = b'<row r="%d"><c r="%s" t="inlineStr"><is><t>far</t></is></c></row></sheetData>'
    number = int(bytes(cell[3:] if cell[:3].isalpha() else cell[1:]))
    edited(plain(folder), {SHEET: lambda xml: xml.replace(b"</sheetData>", added % (number, cell))})


def far_cell(folder):
    far(folder, b"CVB20000")


def farthest_cell(folder):
    far(folder, b"XFD1048576")


def lowest_cell(folder):
    far(folder, b"A1048576")


def many_rows(folder, rows=300_000):
    (folder / "accounts.csv").unlink(missing_ok=True)
    book = xlsxwriter.Workbook(str(folder / "accounts.xlsx"), {"constant_memory": True})
    page = book.add_worksheet("accounts")
    page.write_row(0, 0, HEADER)
    for n in range(rows):
        page.write_row(n + 1, 0, [f"A-{n}", f"Company {n}", "E-1", n])
    book.close()


def macros(folder):
    path = plain(folder)
    edited(path, added={"xl/vbaProject.bin": b"macro", "xl/externalLinks/externalLink1.xml": b"<x/>",
                        "xl/connections.xml": b"<x/>"})  # fmt: skip
    path.rename(folder / "accounts.xlsm")


def uncalculated_formula(folder):
    path = sheet(folder / "accounts.xlsx", [HEADER, ROW[:3]], formulas=[(1, 3, "=1+1", 777)])
    (folder / "accounts.csv").unlink(missing_ok=True)
    edited(path, {SHEET: lambda xml: xml.replace(b"<v>777</v></c>", b"</c>")})


def error_cell(folder):
    (folder / "accounts.csv").unlink(missing_ok=True)
    sheet(folder / "accounts.xlsx", [HEADER, ROW[:3]], formulas=[(1, 3, "=1/0", "#DIV/0!")])


def password(folder):
    (folder / "accounts.csv").unlink(missing_ok=True)
    content = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600) + "EncryptedPackage".encode("utf-16-le") + bytes(400)
    (folder / "accounts.xlsx").write_bytes(content)


def old_excel(folder):
    (folder / "accounts.csv").unlink(missing_ok=True)
    (folder / "accounts.xlsx").write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(2000))


def html_as_csv(folder):
    (folder / "accounts.csv").write_text("<html><table><tr><td>account_id</td></tr></table></html>", encoding="utf-8")


def xlsx_as_csv(folder):
    plain(folder).rename(folder / "accounts.csv")


def zip_as_xlsx(folder):
    (folder / "accounts.csv").unlink(missing_ok=True)
    with zipfile.ZipFile(folder / "accounts.xlsx", "w") as archive:
        archive.writestr("accounts.txt", CSV)


def outside_entry(folder):
    edited(plain(folder), added={"../../x.xml": b"<x/>"})


def nested_zip(folder):
    edited(plain(folder), added={"xl/inner.zip": b"PK"})


def link_entry(folder):
    link = zipfile.ZipInfo("xl/link.xml")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    path = plain(folder)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(link, "/etc/passwd")


def duplicate_entry(folder):
    path = plain(folder)
    content = zipfile.ZipFile(path).read(SHEET)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(SHEET.replace("sheet1", "Sheet1"), content)


def fifo(folder):
    (folder / "accounts.csv").unlink()
    os.mkfifo(folder / "accounts.csv")


def directory(folder):
    (folder / "accounts.csv").unlink()
    (folder / "accounts.csv").mkdir()


def device(folder):
    (folder / "accounts.csv").unlink()
    (folder / "accounts.csv").symlink_to("/dev/zero")


def link_to_file(folder):
    (folder / "accounts.csv").rename(folder / "elsewhere")
    (folder / "accounts.csv").symlink_to(folder / "elsewhere")


def gzip_bomb(folder):
    (folder / "accounts.csv").write_bytes(gzip.compress(bytes(50_000_000)))


def pickled(folder):
    (folder / "accounts.csv").unlink()
    (folder / "accounts.parquet").write_bytes(pickle.dumps(CSV))


def text_as_parquet(folder):
    (folder / "accounts.csv").rename(folder / "accounts.parquet")


def cut_parquet(folder):
    (folder / "accounts.csv").unlink()
    (folder / "accounts.parquet").write_bytes(b"PAR1" + bytes(100))


def pickled_settings(folder):
    (folder / "book.toml").write_bytes(pickle.dumps({"model": "pods"}))


def text_at_row_9000(folder):
    rows = [f"A-{n},a,E-1,{'none' if n == 9000 else n}\n" for n in range(2, 9_500)]
    (folder / "accounts.csv").write_text("account_id,name,owner,arr\n" + "".join(rows), encoding="utf-8")


def dates_in_sheet(folder):
    (folder / "accounts.csv").unlink()
    book = xlsxwriter.Workbook(str(folder / "accounts.xlsx"), {"date_1904": True})
    page = book.add_worksheet("accounts")
    page.write_row(0, 0, [*HEADER, "renewal_date"])
    page.write_row(1, 0, ROW)
    page.write_number(1, 4, 45000 - 1462, book.add_format({"num_format": "yyyy-mm-dd"}))
    book.close()


def serial_in_sheet(folder):
    (folder / "accounts.csv").unlink()
    sheet(folder / "accounts.xlsx", [[*HEADER, "renewal_date"], [*ROW, 45000]])


def deep_family(folder, depth=10_000):
    rows = [f"A-{n},a,E-1,1,{f'A-{n - 1}' if n else ''}\n" for n in range(depth)]
    (folder / "accounts.csv").write_text("account_id,name,owner,arr,parent_id\n" + "".join(rows), encoding="utf-8")
