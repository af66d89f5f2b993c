"""The web pages: one Streamlit application with a page per way of serving the model."""
