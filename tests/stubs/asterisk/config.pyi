class Line:
    line: str
    comment: str

class Item(Line):
    name: str
    value: str

class Category(Line):
    name: str
    items: list[Line]

class Config:
    filename: str
    categories: list[Category]
    def __init__(self, filename: str) -> None: ...
